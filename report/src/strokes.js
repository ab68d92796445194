// Thousands of lines or dots on a canvas, a frame's worth at a time, so that a hand is never waited
// for: whatever is asked for next ends what is still being drawn.

const kAtOnce = 3000;

export class Strokes {
  constructor() { this.turn = 0; }

  /** draw(place) adds to the current path; begin() and end() stand around each lot. */
  run(places, begin, draw, end) {
    const turn = ++this.turn;
    const lot = (from) => {
      if (turn !== this.turn) return;
      begin();
      const to = Math.min(places.length, from + kAtOnce);
      for (let i = from; i < to; ++i) draw(places[i]);
      end();
      if (to < places.length) requestAnimationFrame(() => lot(to));
    };
    lot(0);
  }
}
