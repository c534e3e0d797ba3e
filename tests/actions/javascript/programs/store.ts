interface Row { id: number; name: string; tags?: string[] }
type Rate = number | undefined;

export class Store<T extends Row> {
  private rows: T[] = [];
  static made = 0;

  constructor(private readonly limit: number) {
    const extra = limit * 2;
    this.rows.length = 0;
    Store.made += extra;
  }

  add(row: T, rate?: Rate): number {
    if (rate === undefined) {
      rate = 1;
    }
    const size = row.tags ? row.tags.length : 0;
    this.rows.push(row);
    let total: number = size * rate;
    for (const each of this.rows) {
      total += each.id;
      if (total > this.limit) break;
    }
    const label = `${row.name}:${total}`;
    console.log(label);
    return total;
  }

  find<K extends keyof T>(key: K, value: T[K]): T | null {
    for (const row of this.rows) {
      if (row[key] === value) {
        return row;
      }
    }
    return null;
  }
}

export async function load(ids: number[], limit: number = 3, ...rest: string[]): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  const base: string = "n";
  for (const id of ids) {
    const text = await Promise.resolve(base + id + rest.length);
    found.set(id, text);
  }
  const sizes = [...found.values()].map((each) => each.length * limit);
  let sum: number = 0;
  sizes.forEach((each) => {
    sum += each;
  });
  const { length: count } = sizes;
  const [first = 0, second] = sizes;
  if (count > 1 && sum > first) {
    return found;
  }
  throw new Error(String(second ?? first));
}

export function narrow(input: string | number | null): string {
  if (input === null) {
    return "none";
  }
  const text = typeof input === "number" ? input.toFixed(1) : input.trim();
  const parts = text.split(",");
  const joined = parts.map((part): string => part.toUpperCase()).join(";");
  return joined;
}
