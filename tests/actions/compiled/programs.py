"""One program of difficult cases for each language; each prints its behaviour."""

C = r"""
#include <stdio.h>
#include <string.h>

typedef struct { int n; int list[4]; } Box;

static int calls = 0;

static int next(void) {
    calls += 1;
    return calls;
}

static int twice(int a) {
    printf("twice %d\n", a);
    return a * 2;
}

static int sum(const Box *box, int from, unsigned step) {
    int total = 0;
    for (int i = from; i < 4; i += (int)step) {
        total += box->list[i] * (from + 1);
        if (total > 10 && next() > 2)
            return total * twice(from);
    }
    return total - next();
}

int main(void) {
    Box box = {3, {1, 2, 3, 4}};
    Box *at = &box;
    int a = 2, b = twice(a + 1) + a * 3;
    double half = 1.5 * 3.0;
    const char *name = "spark";
    at->list[a - 1] = b - twice(1);
    a = calls + next();
    printf("%d %d\n", calls, next());
    printf("%d %d %.2f %s %zu\n", sum(&box, 0, 1u), sum(at, a % 2, 2u), half + 1.0, name + 1, strlen(name));
    switch (a + b) {
    case 3:
        printf("three %d\n", a + 1);
        break;
    default:
        printf("other %d\n", twice(a) > b ? a : -b);
    }
    while (a-- > 0) {
        printf("%d;", a * b);
    }
    return (int)sizeof(Box) > 0 ? 0 : 1;
}
"""

CPP = r"""
#include <iostream>
#include <memory>
#include <string>
#include <vector>

struct Box {
    int n = 1;
    std::vector<int> list{1, 2, 3};
    std::string name() const { return "box" + std::to_string(n); }
    int& at(int i) { return list[i]; }
};

static int calls = 0;
static int next() { return ++calls; }
static int loud(int a) { std::cout << "loud " << a << "\n"; return a; }
static std::size_t length(const std::string& text) { return text.size(); }
static void grow(int& a) { a += 10; }
static std::unique_ptr<Box> make(int n) { auto box = std::make_unique<Box>(); box->n = n; return box; }
static int take(std::unique_ptr<Box> box) { return box->n; }

int main() {
    Box box;
    grow(box.n);
    grow(box.list[1]);
    grow(box.at(2));
    int total = box.n + box.list[1] * loud(2);
    std::cout << total << " " << loud(3) << " " << next() + total << "\n";
    std::cout << length(box.name() + "!") << box.name().c_str() << "\n";
    if (box.n > 5 && loud(4) > 3) {
        std::cout << take(make(total + 1)) << "\n";
    }
    for (auto& each : box.list) {
        each = each * 2 + next();
    }
    std::string text = box.name() + "x";
    auto size = static_cast<int>(text.size()) - 1;
    std::cout << text << size << box.list[0] + box.list[2] << (total > 3 ? 1 : 2) << "\n";
    return box.list.size() == 3 ? 0 : 1;
}
"""

RUST = r"""
use std::cell::RefCell;
use std::collections::HashMap;

#[derive(Debug, Clone, PartialEq)]
struct Item { name: String, price: i32, tags: Vec<String> }

fn loud(a: i32) -> i32 { println!("loud {a}"); a }
fn owned(text: String) -> usize { text.len() }
fn change(a: &mut i32) -> i32 { *a += 10; *a }

fn total(items: &[Item], rate: i64) -> i64 {
    let mut sum: i64 = 0;
    for item in items {
        sum += item.price as i64 * rate;
        if item.price > 2 && loud(item.price) > 3 {
            sum -= i64::from(item.tags.len() as u8 + 1);
        }
    }
    sum + rate * 2
}

fn parse(text: &str) -> Result<i32, std::num::ParseIntError> {
    let value = text.trim().parse::<i32>()? + loud(1);
    Ok(value * 2)
}

fn main() {
    let items = vec![
        Item { name: "a".to_string(), price: 3, tags: vec![] },
        Item { name: String::from("b") + "c", price: 4 + loud(1), tags: vec!["x".to_string()] },
    ];
    let cell = RefCell::new(5);
    let now = *cell.borrow() + 1;
    *cell.borrow_mut() += now * 2;
    let mut n = 1;
    let pair = (n, change(&mut n));
    let mut known: HashMap<&str, i32> = HashMap::new();
    known.insert("k", pair.0 + pair.1);
    println!("{:?} {}", pair, total(&items, 2));
    let first = &items[0];
    let same = first.name == items[1].name.clone();
    let sizes = owned(items[1].name.clone()) + first.name.len() * 2;
    let label = match sizes + 1 { 0 => "none", _ => if same { "same" } else { "other" } };
    println!("{label} {sizes} {:?} {:?} {}", parse(" 4 ").unwrap(), parse("x").is_err(), known["k"]);
    let small: u8 = 3 + 4;
    println!("{}", small as i32 + cell.into_inner());
}
"""

JAVA = r"""
import java.util.*;

public class Main {
    private int count = 0;
    private final List<String> names = new ArrayList<>();

    Main(int start) {
        this(List.of("a", "b"), start + 1);
    }

    Main(List<String> given, int start) {
        names.addAll(given);
        count = start * 2;
    }

    int next() {
        count += 1;
        return count;
    }

    static int loud(int a) {
        System.out.println("loud " + a);
        return a;
    }

    int work(int[] values, String text) {
        int local = 1;
        int total = local + next() * values[local - 1];
        System.out.println(count + next() + total);
        byte small = 1;
        long wide = total * 2L + small;
        if (text.length() > 2 && loud(total) > 3) {
            total += values[values.length - 1] + text.indexOf("c");
        } else if (loud(local + 1) > 1) {
            total -= 1;
        }
        for (int i = 0; i < values.length; i++) {
            values[i] = values[i] * local + loud(i + 1);
        }
        switch (total % 3) {
            case 0:
                total += loud(local * 7);
                break;
            default:
                total = Math.max(total, local + 5);
        }
        List<Integer> sorted = new ArrayList<>(List.of(3, 1, total));
        Collections.sort(sorted);
        sorted.forEach(each -> System.out.print(each + 1));
        Object some = names.get(0);
        return (int) wide + sorted.get(0) + (some instanceof String ? 1 : 2) + ("x" + text).length();
    }

    public static void main(String[] args) {
        Main made = new Main(loud(2));
        System.out.println(made.work(new int[] {4, 5}, "abc") + made.work(new int[] {1}, "d"));
    }
}
"""

GO = r"""
package main

import (
	"errors"
	"fmt"
	"time"
)

type box struct {
	n    int
	list [3]int
}

func (b *box) grow(by int) int { b.n += by; return b.n }

func loud(a int) int { fmt.Println("loud", a); return a }

func both(a int) (int, error) {
	if a > 5 {
		return 0, errors.New("big" + fmt.Sprint(a+1))
	}
	return a * 2, nil
}

func wait(d time.Duration) string { return d.String() }

func work(values []int, b *box) (int, error) {
	total := b.n + b.grow(2)*3
	for i, value := range values {
		b.list[i] = value*total + loud(i+1)
		if value > 1 && loud(value) > 2 {
			total += len(values[1:]) + b.list[0]
		}
	}
	half, err := both(total % 7)
	if err != nil {
		return 0, err
	}
	fmt.Println(wait(2*time.Second), float64(half)*1.5, "x"+fmt.Sprint(b.n))
	switch total + 1 {
	case 3:
		return both(loud(3))
	}
	b.list[1] = total - b.list[2]
	var shifted uint8 = 1 << 3
	return int(shifted) + b.grow(loud(half+1)), nil
}

func main() {
	b := &box{n: 1 + loud(1)}
	fmt.Println(work([]int{1, 2, 3}, b))
	fmt.Println(b.n, b.list)
}
"""

PROGRAMS = {"c": C, "cpp": CPP, "rust": RUST, "java": JAVA, "go": GO}
