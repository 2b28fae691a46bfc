UPDATE meta SET value = greatest(value, $1::UBIGINT) WHERE name = 'journal_position'
