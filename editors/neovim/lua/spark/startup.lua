-- What happens when Neovim loads the plugin: cheap things only, nothing that needs the server.

local M = {}

function M.load()
  -- A colour scheme that knows 0.12's group decides; otherwise ghost text looks like other text that is not there.
  local ghost = vim.fn.hlexists("ComplHint") == 1 and "ComplHint" or "NonText"
  vim.api.nvim_set_hl(0, "SparkGhost", { link = ghost, default = true })
  vim.api.nvim_set_hl(0, "SparkEditOld", { link = "DiffDelete", default = true })
  vim.api.nvim_set_hl(0, "SparkEditNew", { link = "DiffAdd", default = true })
  vim.api.nvim_set_hl(0, "SparkEditHint", { link = ghost, default = true })
  vim.api.nvim_set_hl(0, "SparkEditSign", { link = "DiagnosticSignHint", default = true })

  require("spark.commands").create()

  vim.api.nvim_create_autocmd("LspAttach", {
    group = vim.api.nvim_create_augroup("spark.startup", {}),
    desc = "Spark: show suggestions in this buffer",
    callback = function(event)
      local client = vim.lsp.get_client_by_id(event.data.client_id)
      if client and client.name == "spark" then
        require("spark.attach").attach(client, event.buf)
      end
    end,
  })
end

return M
