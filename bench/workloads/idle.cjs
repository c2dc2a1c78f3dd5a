// An HTTP server that gets no request. Tells its parent when it listens, and on 'wakeups' the wake-ups that the profiler counts of its own threads
// (null without one); ends on 'end' or when the parent goes.

const { createServer } = require('node:http');
const { join } = require('node:path');

const server = createServer((_, response) => response.end('ok'));
server.listen(0, '127.0.0.1', () => process.send('listening'));
process.on('message', (message) => {
  if (message === 'end') process.exit(0);
  const profiled = process.env.STROBE_OWNER_PID === String(process.pid);
  process.send(
    profiled
      ? require(join(__dirname, '..', '..', 'dist', 'native.js'))
          .loadNative()
          .stats().wakeups
      : null,
  );
});
process.on('disconnect', () => process.exit(0));
