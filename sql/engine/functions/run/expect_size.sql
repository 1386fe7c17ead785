create or replace function imago.expect_size(batch_size integer, max_ms integer default 2000)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if batch_size not between 1 and 10000 then
    perform imago.raise_error('IM002', batch_size::text);
  end if;
  if max_ms is null then
    perform imago.raise_error('IM004', 'max_ms');
  end if;
  if max_ms not between 1 and 3600000 then
    perform imago.raise_error('IM015', 'max_ms', max_ms::text, '1 to 3600000 milliseconds');
  end if;
end
$$;
comment on function imago.expect_size(integer, integer) is 'Refuses sizes and budgets outside their range (IM002, IM004, IM015).';
