// What libraries do to promises and callbacks, preloaded: `then` is wrapped, the global Promise is a subclass, timers are wrapped, a domain is active.

const domain = require('node:domain');

const then = Promise.prototype.then;
// biome-ignore lint/suspicious/noThenProperty: that is what is tested
Promise.prototype.then = function (done, failed) {
  const wrap = (fn) => (typeof fn === 'function' ? (value) => fn(value) : fn);
  return then.call(this, wrap(done), wrap(failed));
};
const Original = Promise;
globalThis.Promise = class Patched extends Original {};
const { setTimeout: original } = globalThis;
globalThis.setTimeout = Object.assign((fn, ms, ...args) => original((...given) => fn(...given), ms, ...args), original);

domain.create().enter();
