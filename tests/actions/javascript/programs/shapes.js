const defaults = { unit: "m", scale: 2 };

function unpack({ a, b: [c, ...rest], ...others }, size = rest.length) {
  const { unit, scale: factor = 1 } = defaults;
  let first, second;
  [first, second = c] = rest;
  ({ a, ...others } = { ...others, a: a + factor });
  const label = `${first}${unit}${`${second}`}`;
  return [a, c, label, others, size];
}

const shadow = (x) => {
  const y = x + 1;
  {
    const x = y * 2;
    let y2 = x + y;
    y2 += 1;
    say(x, y2);
  }
  return [x, y].map((x) => x * 2);
};

function recursive(n) {
  const again = function self(k) {
    const half = Math.floor(k / 2);
    return k <= 1 ? [k] : [k, ...self(half)];
  };
  function later(k) {
    return helper(k) + 1;
  }
  const helper = (k) => k * 10;
  const list = again(n);
  const sum = list.reduce((acc, each) => acc + later(each), 0);
  return { list, sum, n };
}

function numbers(n) {
  let i = n;
  const post = i++ + ++i;
  i **= 2;
  let text = "";
  for (const key in { p: 1, q: 2 }) text += key + i;
  const cond = n > 2 ? post : n > 1 ? i : -1;
  if (n) text += "yes"; else text += "no";
  for (let k = 0, m = n; k < m; k++, m--) text += k * m;
  return [post, i, text, cond, typeof missing, delete {}.x, void 0];
}

module.exports.inputs = [[{ a: 1, b: [2, 3], z: 9 }, 3], [{ a: 5, b: [6], y: null }, 1], [{ a: 0, b: [] }, 8]];
module.exports.run = (o, n) => [unpack(o), shadow(n), recursive(n), numbers(n)];
