SELECT id, entity, dimension, value FROM conditions ORDER BY id
