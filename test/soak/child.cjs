// A child process of the endurance suite: answers, prints, or waits to be killed.

switch (process.argv[2]) {
  case 'reply':
    process.once('message', () => process.send('pong', () => process.disconnect()));
    break;
  case 'print':
    console.log('printed');
    break;
  case 'hang':
    for (;;) Math.sqrt(2);
}
