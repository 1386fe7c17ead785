create schema imago;
comment on schema imago is 'Imago: online, reversible data migrations. Call the functions in schema public; nothing here is meant to be written by hand.';
revoke all on schema imago from public;

create schema imago_undo;
comment on schema imago_undo is 'Imago: undo journals, one typed table per plan and relation. Dropping one gives up the way back.';
revoke all on schema imago_undo from public;
