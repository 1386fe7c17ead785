/** The buttons: always the same, in the same place; what cannot be done now says why. */
import { isDriving, letGo, tell } from '../drive.ts';
import { type ActionName, whyNot } from '../offers.ts';
import { progress } from '../state.ts';
import { openDialog } from './dialog.tsx';

export function Actions() {
  const now = progress.value;
  const isUnderWay = now !== undefined && ['running', 'pending'].includes(now.state);
  return (
    <section class="actions" aria-label="What to do">
      {isDriving.value ? (
        <button type="button" onClick={letGo} title="The run goes on when somebody works on it again.">
          Stop here
        </button>
      ) : (
        <Act name="start" primary label={isUnderWay ? 'Go on …' : 'Start …'} />
      )}
      <Act name="pause" label="Pause" />
      <Act name="resume" label="Resume" />
      <Act name="retry" label="Retry" />
      <Act name="cancel" label="Cancel" />
      <Act name="rollback_one" label="Roll back one …" />
      <Act name="rollback_all" label="Roll back all …" danger />
    </section>
  );
}

export function Act({
  name,
  label,
  primary = false,
  danger = false,
  before,
}: {
  name: ActionName;
  label: string;
  primary?: boolean;
  danger?: boolean;
  /** Finds out what the dialog then says. */
  before?: () => Promise<void>;
}) {
  const reason = whyNot(name);
  const id = `why-${name}`;
  return (
    <>
      <button
        type="button"
        class={primary ? 'primary' : danger ? 'danger' : ''}
        aria-disabled={reason !== undefined}
        aria-describedby={reason === undefined ? undefined : id}
        title={reason}
        data-action={name}
        onClick={() => {
          if (reason === undefined) openAfter(name, before);
        }}
      >
        {label}
      </button>
      {reason !== undefined && (
        <span class="sr" id={id}>
          {reason}
        </span>
      )}
    </>
  );
}

function openAfter(name: ActionName, before: (() => Promise<void>) | undefined): void {
  if (!before) openDialog(name);
  else before().then(() => openDialog(name), tell);
}
