create or replace function imago.amount_text(unit text, value numeric, capacity numeric)
returns text
language sql
immutable
set search_path = ''
as $$
  select case unit
    when 'bytes' then case
      when capacity is null then format('%s %s', round(value / s.size, s.digits), s.name)
      else format('%s of %s %s', round(value / s.size, s.digits), round(capacity / s.size, s.digits), s.name) end
    when 'seconds' then format('%s s', round(value))
    when 'milliseconds' then case
      when capacity is null then format('%s ms', round(value)) else format('%s and %s ms', round(value, 1), round(capacity, 1)) end
    else case when capacity is null then format('%s', round(value)) else format('%s and %s', round(value), round(capacity)) end
  end
  from (
    select c.* from (values (1073741824, 1, 'GB'), (1048576, 0, 'MB'), (1024, 0, 'kB')) c(size, digits, name)
    where c.size <= coalesce(capacity, value) or c.size = 1024
    order by c.size desc limit 1
  ) s
$$;
comment on function imago.amount_text(text, numeric, numeric) is 'A value in words, with what it is a part of or compared with: 3.1 of 4.0 GB.';
