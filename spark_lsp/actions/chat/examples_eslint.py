"""Examples of fixes for rules of eslint and typescript-eslint: lines before and after, by the rule's name."""

from typing import Final

TEXT: Final = """
array-type
const sizes: Array<number> = [];
->
const sizes: number[] = [];

consistent-type-assertions
const box = <Box>value;
->
const box = value as Box;

curly
if (box.isOpen) close(box);
->
if (box.isOpen) {
  close(box);
}

dot-notation
const size = box["size"];
->
const size = box.size;

eqeqeq
if (size == limit) {
  close(box);
}
->
if (size === limit) {
  close(box);
}

no-else-return
function sizeOf(box) {
  if (box.isEmpty) {
    return 0;
  } else {
    return box.size;
  }
}
->
function sizeOf(box) {
  if (box.isEmpty) {
    return 0;
  }
  return box.size;
}

no-explicit-any
function keep(value: any): void {
  kept.push(value);
}
->
function keep(value: unknown): void {
  kept.push(value);
}

no-implicit-coercion
const isOpen = !!box.lid;
->
const isOpen = Boolean(box.lid);

no-inferrable-types
let size: number = 0;
->
let size = 0;

no-lonely-if
if (box.isOpen) {
  close(box);
} else {
  if (box.isFull) {
    send(box);
  }
}
->
if (box.isOpen) {
  close(box);
} else if (box.isFull) {
  send(box);
}

no-negated-condition
if (!box.isOpen) {
  open(box);
} else {
  close(box);
}
->
if (box.isOpen) {
  close(box);
} else {
  open(box);
}

no-nested-ternary
const name = size > 9 ? "large" : size > 4 ? "middle" : "small";
->
let name = "small";
if (size > 9) {
  name = "large";
} else if (size > 4) {
  name = "middle";
}

no-non-null-assertion
const size = box!.size;
->
const size = box?.size;

no-plusplus
for (let index = 0; index < boxes.length; index++) {
  close(boxes[index]);
}
->
for (let index = 0; index < boxes.length; index += 1) {
  close(boxes[index]);
}

no-unneeded-ternary
const isOpen = size > 4 ? true : false;
->
const isOpen = size > 4;

no-unused-vars
export function sizeOf(box) {
  const name = box.name;
  return box.size;
}
->
export function sizeOf(box) {
  return box.size;
}

no-useless-return
function shut(box) {
  close(box);
  return;
}
->
function shut(box) {
  close(box);
}

no-var
var size = 1;
->
let size = 1;

object-shorthand
const box = { size: size, name: name };
->
const box = { size, name };

operator-assignment
total = total + size;
->
total += size;

prefer-const
let size = box.size;
->
const size = box.size;

prefer-for-of
for (let index = 0; index < boxes.length; index += 1) {
  close(boxes[index]);
}
->
for (const box of boxes) {
  close(box);
}

prefer-template
const text = "size: " + size + " cm";
->
const text = `size: ${size} cm`;

radix
const size = parseInt(text);
->
const size = parseInt(text, 10);
"""
