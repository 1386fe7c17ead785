/** What came of an action, until it is dismissed. The line is there without it, so that nothing moves when it comes. */
import type { Signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { Notice } from '../drive.ts';

export function NoticeLine({
  notice,
  otherwise,
}: {
  notice: Signal<Notice | undefined>;
  /** What stands there meanwhile. */
  otherwise?: ComponentChildren;
}) {
  const shown = notice.value;
  return (
    <div class={`notice ${shown?.kind ?? 'none'}`} role="status">
      {!shown && otherwise}
      {shown && (
        <>
          <p>
            {shown.text}
            {shown.hint && <span class="hint"> {shown.hint}</span>}
          </p>
          <button
            type="button"
            class="plain"
            aria-label="Dismiss"
            onClick={() => {
              notice.value = undefined;
            }}
          >
            ×
          </button>
        </>
      )}
    </div>
  );
}
