-- Types in insert mode for ever, as the user of the plugin does: words, line ends, accepted suggestions.

local done, command = vim.env.SPARK_TYPING, vim.split(vim.env.SPARK_COMMAND, "\n")
require("spark").setup({ cmd = command })
vim.cmd("edit " .. vim.fn.fnameescape(vim.env.SPARK_FILE))
vim.cmd("normal! G")
vim.api.nvim_input("o")

local keys = { "a", "b", "val", "ue", " = ", "total(", ")", "<CR>", "<Tab>", "<BS>", "<C-]>" }
local typed = 0
vim.uv.new_timer():start(0, 30, vim.schedule_wrap(function()
  local client = vim.lsp.get_clients({ name = "spark" })[1]
  if not (client and client.initialized) then
    return
  end
  vim.api.nvim_input(keys[math.random(#keys)])
  typed = typed + 1
  if typed == 3 then
    vim.fn.writefile({ "typing" }, done)
  end
end))
