-- :checkhealth spark

local M = {}

---@param cmd string[]
local function check_server(cmd)
  local program = vim.fn.exepath(cmd[1] or "")
  if program == "" then
    vim.health.error(("`%s` is not executable or not on PATH."):format(cmd[1]), {
      "Install the server: pip install spark-lsp",
      'Or set its path: require("spark").setup({ cmd = { "/path/to/spark-lsp", "serve", "--stdio" } })',
    })
    return
  end
  vim.health.ok("server: " .. program)
  vim.health.info("`spark-lsp doctor` checks compiler, model and memory.")
end

local function check_clients()
  local clients = vim.lsp.get_clients({ name = "spark" })
  if #clients == 0 then
    vim.health.warn("no server is running", {
      vim.lsp.is_enabled("spark") and "Open a file." or 'Add vim.lsp.enable("spark") to your configuration.',
    })
  end
  for _, client in ipairs(clients) do
    local version = client.server_info and client.server_info.version or "unknown"
    vim.health.ok(("running: version %s in %s"):format(version, client.root_dir or "no workspace"))
    if not client.server_capabilities.inlineCompletionProvider then
      vim.health.error("the server does not offer inline completion")
    end
    vim.health.info(table.concat(require("spark.status").describe(client.id), "\n"))
  end
end

local function check_keys()
  for name, lhs in pairs(require("spark.config").current.keys) do
    if lhs then
      local taken = vim.fn.maparg(lhs, name == "next_edit" and "n" or "i", false, true)
      local owner = taken.desc or taken.rhs
      if owner and not vim.startswith(owner, "Spark: ") then
        local notice = "%s (%s) is also mapped to: %s. That mapping applies when no suggestion is visible."
        vim.health.info(notice:format(lhs, name, owner))
      end
    end
  end
end

function M.check()
  vim.health.start("Spark LSP")
  if vim.fn.has("nvim-0.11") == 0 then
    vim.health.error("Neovim 0.11 or newer is needed.")
    return
  end
  local builtin = require("spark.config").builtin()
  vim.health.ok(builtin and "suggestions: vim.lsp.inline_completion" or "suggestions: Spark's own ghost text")
  local cmd = require("spark.client").config().cmd
  if type(cmd) == "table" then
    check_server(cmd)
  end
  check_clients()
  check_keys()
end

return M
