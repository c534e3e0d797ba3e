function early(x) {
  if (x < 0) {
    return "negative";
  }
  const y = x * 2;
  if (y > 10) {
    return y;
  } else {
    say("small", y);
    return -y;
  }
}

function tail(x) {
  say("start");
  if (x > 2) {
    say("big");
    return;
  }
  say("end");
}

function thrown(x) {
  let state = 0;
  try {
    state = 1;
    if (x > 1) throw new RangeError("x" + x);
    state = 2;
    say("fine");
  } catch ({ message }) {
    say("caught", message, state);
    state += 10;
  } finally {
    say("finally", state);
  }
  return state;
}

function both(x) {
  try {
    if (x === 0) return "zero";
    say("after");
  } finally {
    say("done");
  }
}

function choose(kind) {
  let out = "";
  switch (kind) {
    case 0:
      out += "none";
      say("zero");
      break;
    case 1: {
      const inner = kind + 1;
      out += inner;
    }
    // falls through
    case 2:
      out += "more";
      return out;
    default:
      out = "default";
      out += kind;
  }
  return out + ".";
}

function ready(flag) {
  const use = () => limit + 1;
  let before = 1;
  if (flag > 1) before = 2;
  const limit = before * 2;
  const used = use();
  return [used, limit];
}

function chain(o) {
  const deep = o?.a.b.c;
  const value = o && o.a.b;
  const fallback = o?.f?.(1) ?? "nothing";
  return [deep, value, fallback];
}

module.exports.inputs = [[0], [1], [2], [3], [7], [-1]];
module.exports.run = (x) => [
  early(x), tail(x), thrown(x), both(x), choose(x), ready(x), chain(x ? { a: { b: { c: x } } } : undefined),
];
