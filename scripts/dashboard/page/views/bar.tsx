/** How much of something. A picture, so that it needs no style of its own where a policy allows none. */
export function Bar({
  label,
  part,
  whole,
  isBack = false,
}: {
  label: string;
  part: number;
  whole: number;
  isBack?: boolean;
}) {
  const share = whole > 0 ? Math.min(1, part / whole) : 0;
  return (
    <div
      class={`bar ${isBack ? 'back' : ''}`}
      role="progressbar"
      aria-label={label}
      aria-valuenow={Math.floor(share * 100)}
      aria-valuemin={0}
      aria-valuemax={100}
    >
      <svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
        <rect width={Math.round(share * 10_000) / 100} height="1" />
      </svg>
    </div>
  );
}
