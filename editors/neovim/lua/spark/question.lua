-- Questions of the server. In insert mode a menu would take keys that are meant for the code, so it waits for the end.

local M = {}

--- Show a question with its choices once no text is being typed; Neovim's own handler shows it.
---@async
---@param err? lsp.ResponseError
---@param params lsp.ShowMessageRequestParams
---@param ctx lsp.HandlerContext
function M.ask(err, params, ctx)
  local thread, is_main = coroutine.running()
  if thread and not is_main and vim.api.nvim_get_mode().mode:match("^[iR]") then
    vim.api.nvim_create_autocmd("InsertLeave", {
      once = true,
      callback = function()
        vim.schedule(function()
          coroutine.resume(thread)
        end)
      end,
    })
    coroutine.yield()
  end
  return vim.lsp.handlers["window/showMessageRequest"](err, params, ctx)
end

return M
