/** What came of an action, until it is dismissed. The line is there without it, so that nothing moves when it comes. */
import type { Signal } from '@preact/signals';
import type { Notice } from '../drive.ts';

export function NoticeLine({ notice }: { notice: Signal<Notice | undefined> }) {
  const shown = notice.value;
  return (
    <div class={`notice ${shown?.kind ?? 'none'}`} role="status">
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
