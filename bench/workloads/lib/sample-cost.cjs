// What one sample costs, from equal units of work of which some met one: the mean of those with one sample less that of those with none (means without the highest 5 %).
//
// Longer units meet more ticks, with or without a cost. What that makes is found out with ticks that nobody sent, and taken off. These must come as the profiler's do (a
// dead time, then an exponential gap: native/capture/self_clock.h) and meet the same units: all of them, each as long as it would have been without its samples (among
// units that no sample met the long ones are too few). With exponential gaps, and on those units alone, a sample reads too dear.

const TRIM = 0.95;
/** Of a period: kDeadTime of native/capture/self_clock.h. */
const DEAD_TIME = 0.25;
/** What one set of ticks makes by chance is half of the noise; the mean of many makes none. */
const CLOCKS = 16;
/** The cost has to be known before units can be freed of it, and the other way round: it is found in so many steps. */
const PASSES = 6;

/**
 * Ticks of a clock like the profiler's.
 * @returns how many ticks fall into the next `ms` of work
 */
function silentClock(hz) {
  const gap = () => (DEAD_TIME - Math.log(1 - Math.random()) * (1 - DEAD_TIME)) * (1000 / hz);
  let next = gap();
  let now = 0;
  return (ms) => {
    now += ms;
    let ticks = 0;
    for (; next <= now; next += gap()) ticks++;
    return ticks;
  };
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

const trimmedMean = (values) => mean(values.sort((a, b) => a - b).slice(0, Math.ceil(values.length * TRIM)));

const difference = (units, ticks) =>
  trimmedMean(units.filter((_, at) => ticks[at] === 1)) - trimmedMean(units.filter((_, at) => ticks[at] === 0));

/**
 * @param units how long each took, microseconds
 * @param samples how many each met, at about `hz`
 * @returns microseconds: `made`, what a sample costs; `floor`, what ticks that nobody sent seem to cost: the noise
 */
function sampleCost(units, samples, hz) {
  const met = difference(units, samples);
  let made = met;
  let apart = [];
  for (let pass = 0; pass < PASSES; pass++) {
    const bare = units.map((us, at) => us - made * samples[at]);
    apart = Array.from({ length: CLOCKS }, () => silentClock(hz)).map((clock) =>
      difference(
        bare,
        bare.map((us) => clock(us / 1000)),
      ),
    );
    made = met - mean(apart);
  }
  return { made, floor: apart[0] - mean(apart.slice(1)) };
}

module.exports = { sampleCost, silentClock };
