// A forked child that answers once.
process.once('message', () => process.send('pong', () => process.disconnect()));
