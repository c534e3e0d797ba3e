import { type Accounts, type Entry, formatMoney, total } from "./money";

/** One row of the page: an account's name and its balance. */
export interface Row {
  name: string;
  balance: string;
}

export function rows(accounts: Accounts): Row[] {
  return Object.entries(accounts).map(([name, entries]) => ({
    name,
    balance: formatMoney(total(entries)),
  }));
}

export function newest(entries: Entry[], count: number): Entry[] {
  return [...entries].sort((a, b) => b.day.localeCompare(a.day)).slice(0, count);
}
