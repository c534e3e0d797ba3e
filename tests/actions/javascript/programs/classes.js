class Base {
  constructor(name) {
    this.name = name;
    const parts = name.split("-");
    this.size = parts.length;
  }
  greet() {
    return "hi " + this.name;
  }
}

class Account extends Base {
  #secret = 1;
  static count = 0;
  handler = (extra) => {
    const sum = this.size + extra;
    this.last = sum;
    return sum;
  };

  constructor(name, start) {
    const label = name + "!";
    super(label);
    this.balance = start;
    Account.count += 1;
  }

  static reset(n) {
    const old = this.count;
    this.count = n;
    return old;
  }

  get worth() {
    const base = this.balance * 2;
    return base + this.#secret;
  }

  greet() {
    const first = super.greet();
    const more = `${first} (${this.worth})`;
    this.#secret += 1;
    return more;
  }

  each(values) {
    const out = [];
    values.forEach((value) => {
      const moved = value + this.balance;
      out.push(moved);
    });
    const self = this;
    values.forEach(function (value) {
      out.push(this.k + value + self.balance);
    }, { k: 100 });
    return out;
  }
}

function plain() {
  const total = this.a + arguments.length;
  return [total, arguments[0]];
}

const literal = {
  a: 4,
  m(x) {
    const twice = this.a * x;
    return twice + 1;
  },
};

module.exports.inputs = [["x-y", 3, [1, 2]], ["z", 0, []]];
module.exports.run = (name, start, values) => {
  const account = new Account(name, start);
  const told = [account.greet(), account.greet(), account.handler(2), account.last, account.each(values)];
  return [told, Account.reset(5), plain.call({ a: 1 }, 7, 8), literal.m(start), account.worth];
};
