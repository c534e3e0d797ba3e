/** Amounts of money in whole cents, as the ledger's JSON file holds them. */
export interface Entry {
  day: string;
  cents: number;
  text: string;
  tags: string[];
}

export type Accounts = Record<string, Entry[]>;

export function formatMoney(cents: number): string {
  const sign = cents < 0 ? "-" : "";
  const absolute = Math.abs(cents);
  const fraction = String(absolute % 100).padStart(2, "0");
  return `${sign}${Math.floor(absolute / 100)}.${fraction}`;
}

export function total(entries: Entry[]): number {
  return entries.reduce((sum, entry) => sum + entry.cents, 0);
}
