const wait = (value) => new Promise((done) => setImmediate(() => done(value)));

async function load(ids) {
  const found = [];
  for (const id of ids) {
    const value = await wait(id * 2);
    found.push(value);
  }
  let sum = 0;
  for await (const more of found) {
    sum += more;
  }
  const settled = await Promise.all(found.map(async (each) => (await wait(each)) + 1));
  return [sum, settled];
}

async function failing(x) {
  let step = "begin";
  try {
    step = "waiting";
    await wait(1);
    if (x > 1) throw new TypeError("no");
    step = "over";
  } catch (error) {
    say(error.message, step);
    return step;
  }
  return step + "!";
}

function* counter(n) {
  let total = 0;
  for (let i = 0; i < n; i++) {
    const sent = yield i;
    total += sent ?? 1;
  }
  const last = yield "last";
  yield* [7, 8];
  return [total, last];
}

async function* stream(n) {
  let previous = 0;
  for (let i = 0; i < n; i++) {
    previous += await wait(i);
    yield previous;
  }
}

module.exports.inputs = [[[1, 2], 3], [[], 0]];
module.exports.run = async (ids, n) => {
  const iterator = counter(n);
  const told = [];
  let step = iterator.next();
  while (!step.done) {
    told.push(step.value);
    step = iterator.next(told.length);
  }
  const streamed = [];
  for await (const each of stream(n)) streamed.push(each);
  return [await load(ids), await failing(n), told, step.value, streamed];
};
