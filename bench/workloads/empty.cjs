// A program that does nothing: what is left of a profiled one is the start and the end of the profiler.
