import Wait from './wait.ts';

/** As `wait`, for commands whose natural end is Ctrl-C. */
export default class Serve extends Wait {
  static override endsOnSignal = true;
}
