// A library that the endurance suite's addon opens and closes from many threads at once.
double plugin_work(int n) {
  double x = 0;
  for (int i = 0; i < n; i++) x += i * 0.5;
  return x;
}
