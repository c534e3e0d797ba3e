-- Finding the running server.

local M = {}

--- The client of a buffer, or any running one if the buffer has none.
---@param bufnr? integer
---@return vim.lsp.Client?
function M.get(bufnr)
  return vim.lsp.get_clients({ name = "spark", bufnr = bufnr or 0 })[1] or vim.lsp.get_clients({ name = "spark" })[1]
end

--- How the server is started.
---@return vim.lsp.Config
function M.config()
  local configs = vim.lsp.config --[[@as table<string, vim.lsp.Config>]]
  return configs.spark
end

--- Run one of the server's commands and say so when it fails.
---@param command string
---@param arguments? any[]
---@param done? fun(result: any)
function M.execute(command, arguments, done)
  local client = M.get()
  if not client then
    vim.notify("Spark is not running here; see :checkhealth spark.", vim.log.levels.WARN)
    return
  end
  local params = { command = command, arguments = arguments or {} }
  client:request("workspace/executeCommand", params, function(err, result)
    if err then
      vim.notify(("Spark: %s"):format(err.message), vim.log.levels.ERROR)
    elseif done then
      done(result)
    end
  end)
end

return M
