/** How much of something. */
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
      <i style={{ transform: `scaleX(${share})` }} />
    </div>
  );
}
