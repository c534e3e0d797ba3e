const scale = 3;
let calls = 0;

function total(items, rate) {
  let sum = 0;
  for (const item of items) {
    sum += item * rate;
  }
  const tax = sum * scale;
  let note = `a
    ${tax}`;
  note += "!";
  return [sum, tax, note];
}

function search(rows, wanted) {
  let found = -1;
  outer: for (let i = 0; i < rows.length; i++) {
    for (let j = 0; j < rows[i].length; j++) {
      if (rows[i][j] < 0) continue outer;
      if (rows[i][j] === wanted) {
        found = i * 10 + j;
        break outer;
      }
    }
    calls++;
  }
  if (found < 0) {
    return "none";
  }
  return found;
}

function previous(values) {
  const out = [];
  let last = 0;
  while (out.length < values.length) {
    const now = values[out.length];
    const step = now - last;
    last = now;
    out.push(step);
  }
  do {
    last--;
  } while (last > 0);
  return [out, last];
}

function hoisted(n) {
  for (var i = 0; i < n; i++) {
    if (i === 1) {
      var kept = i * 5;
    }
    say(i, kept);
  }
  var i;
  kept = kept || 0;
  return i + kept;
}

function closures(n) {
  const fns = [];
  let shared = 0;
  for (let i = 0; i < n; i++) {
    const own = i * 2;
    fns.push(() => own + shared);
    shared += 1;
  }
  let later = 5;
  const read = () => later;
  later += 1;
  const before = read();
  later = before * 2;
  return [fns.map((f) => f()), read(), later];
}

module.exports.inputs = [[[1, 2, 3], 2], [[], 1], [[4, -1, 7], 0]];
module.exports.run = (values, n) => {
  const rows = [values, [5, n], [n]];
  return [total(values, n), search(rows, n), previous(values), hoisted(n + 1), closures(n + 1), calls];
};
