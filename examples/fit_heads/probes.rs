//! Prompts written for this project, from easy to hard, to see whether the heads order them as a
//! person would. They take no part in the fit.

/// What a person would say about a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Easy,
    Middling,
    Hard,
}

use Level::{Easy, Hard, Middling};

pub const PROBES: [(Level, &str); 36] = [
    (Easy, "What is the capital of France?"),
    (Easy, "Translate 'good morning' to Spanish."),
    (Easy, "Say hello to my new colleague Anna."),
    (Easy, "Which planet is closest to the sun?"),
    (Easy, "How many days are there in a leap year?"),
    (Easy, "What colour do you get when you mix blue and yellow?"),
    (Easy, "Give me three synonyms for happy."),
    (Easy, "Correct the spelling: 'I recieve your leter yesterday'."),
    (Easy, "What does the abbreviation CPU stand for?"),
    (Easy, "Write a short birthday wish for my grandmother."),
    (
        Easy,
        "Summarise in one sentence: The shop opens at nine, closes at six, and is shut on Sundays.",
    ),
    (Easy, "What is 7 times 8?"),
    (Middling, "Write a Python function that returns the second largest number of a list."),
    (Middling, "Explain the difference between TCP and UDP to a beginner."),
    (
        Middling,
        "Tom has 12 apples, gives a third to Mary and buys 5 more. How many does he have now?",
    ),
    (
        Middling,
        "Write a polite email that asks a supplier to move a delivery from Monday to Thursday.",
    ),
    (Middling, "How do I reverse a linked list in Java?"),
    (Middling, "Why does bread rise when it is baked?"),
    (
        Middling,
        "Write a SQL query that lists the ten customers with the highest revenue last month.",
    ),
    (Middling, "Plan a three-day trip to Lisbon for a family with two children on a small budget."),
    (Middling, "What are the main causes of the First World War?"),
    (Middling, "Convert this CSV header to a TypeScript interface: id,name,price,created_at"),
    (
        Hard,
        "Prove that the square root of every prime number is irrational, and extend the proof to n-th roots.",
    ),
    (
        Hard,
        "Design a lock-free multi-producer multi-consumer queue in Rust; compare memory orderings and prove that it is linearizable.",
    ),
    (
        Hard,
        "Let $f(x) = \\sum_{n=1}^{\\infty} \\frac{\\sin(nx)}{n^2}$. Show that $f$ is continuous on $\\mathbb{R}$, and compute $\\int_0^{\\pi} f(x)\\,dx$ in closed form.",
    ),
    (
        Hard,
        "Find all positive integers $n$ such that $n^2 + 1$ divides $n! + 3^n$, and justify every step of your answer rigorously.",
    ),
    (
        Hard,
        "Implement a B+ tree in C++ with concurrent inserts, range scans and crash recovery. It must not block readers, must use at most two pages of buffer per operation, and must come with a test that simulates power loss.",
    ),
    (
        Hard,
        "Derive the Euler-Lagrange equation for a relativistic charged particle in an electromagnetic field, and show that it reproduces the Lorentz force law in the low-velocity limit.",
    ),
    (
        Hard,
        "A spin-1/2 particle is in the state $|\\psi\\rangle = \\frac{1}{\\sqrt{3}}|+\\rangle + \\sqrt{\\frac{2}{3}}|-\\rangle$. It evolves under $H = \\hbar\\omega S_y$ for time $t$. Compute the probability of measuring $S_x = +\\hbar/2$ as a function of $t$.",
    ),
    (
        Hard,
        "Design a distributed rate limiter for 50 regions with at most 1% over-admission, no single point of failure and p99 under 2 ms. Compare token buckets with sliding windows, analyse the failure modes, and give the proof of the bound.",
    ),
    (
        Hard,
        "Suppose 5 logicians sit in a circle, each with a hat of one of 3 colours, and each sees only the two neighbours. Determine the largest number of correct simultaneous guesses that a strategy can guarantee, and prove that it is optimal.",
    ),
    (
        Hard,
        "Evaluate $\\oint_C \\frac{e^{z}}{z^2(z^2+\\pi^2)} dz$ where $C$ is the circle $|z|=4$ traversed counterclockwise.",
    ),
    (
        Hard,
        "Write a type checker for the simply typed lambda calculus with let-polymorphism in OCaml, without any library, in at most 150 lines, with principal types, the occurs check and readable error messages that name the two conflicting subterms.",
    ),
    (
        Hard,
        "Which of the following reagents converts trans-cinnamaldehyde selectively to the allylic alcohol with retention of the alkene, and what is the stereochemical course of the subsequent Sharpless epoxidation with (+)-DET?",
    ),
    (
        Hard,
        "Prove or disprove: every continuous function on a compact metric space that is locally Lipschitz is Lipschitz. Give a rigorous proof or an explicit counterexample.",
    ),
    (
        Hard,
        "Here are four clues. The Norwegian lives next to the blue house. The person with the zebra does not drink milk. The coffee drinker lives two houses right of the red house. The dog belongs to the third house. List every assignment of five houses, nationalities, drinks and pets that satisfies all constraints.",
    ),
];
