if vim.g.loaded_spark then
  return
end
vim.g.loaded_spark = true
require("spark.startup").load()
