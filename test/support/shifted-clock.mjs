// Preloaded into a worker process: its clock is an hour ahead, or behind with SHIFT_MS < 0.
const shift = Number(process.env.SHIFT_MS ?? 3_600_000);
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() + shift] : args));
  }
  static now() {
    return RealDate.now() + shift;
  }
};
