// A fixed amount of computing: numbers in typed arrays, small objects and maps, strings, JSON, sorting, closures; enough for the optimiser to work all the
// time and for some garbage. computing() gives a function that does one round (about 23 ms) and returns a checksum, so that nothing is optimised away.

function random(seed) {
  let x = seed | 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

function multiply(n, a, b, out) {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += a[i * n + k] * b[k * n + j];
      out[i * n + j] = sum;
    }
  }
  return out[n + 1];
}

function sieve(n) {
  const composite = new Uint8Array(n + 1);
  let count = 0;
  for (let i = 2; i <= n; i++) {
    if (composite[i]) continue;
    count++;
    for (let j = i * i; j <= n; j += i) composite[j] = 1;
  }
  return count;
}

class Node {
  constructor(key) {
    this.key = key;
    this.left = null;
    this.right = null;
  }
}

function insert(node, key) {
  if (node === null) return new Node(key);
  if (key < node.key) node.left = insert(node.left, key);
  else node.right = insert(node.right, key);
  return node;
}

const depth = (node) => (node === null ? 0 : 1 + Math.max(depth(node.left), depth(node.right)));

function tree(next) {
  let top = null;
  for (let i = 0; i < 12_000; i++) top = insert(top, next());
  return depth(top);
}

function words(next) {
  const counts = new Map();
  for (let i = 0; i < 25_000; i++) {
    const word = `w${next() % 3000}-${i % 7}`;
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const top = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).slice(0, 500);
  return JSON.parse(JSON.stringify(top.map(([word, count]) => ({ word, count })))).length + top[0][1];
}

function fibonacci(n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

exports.computing = () => {
  const next = random(42);
  const n = 120;
  const a = Float64Array.from({ length: n * n }, () => (next() % 1000) / 1000);
  const b = Float64Array.from({ length: n * n }, () => (next() % 1000) / 1000);
  const out = new Float64Array(n * n);
  return () => multiply(n, a, b, out) * 10 + multiply(n, b, a, out) + sieve(800_000) + tree(next) + words(next) + fibonacci(27);
};
