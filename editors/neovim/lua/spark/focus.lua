-- Telling the server where the cursor has come to rest, so that the model has read around it before the first key.

local M = {}

local SETTLE_MS = 200 -- a cursor that moves on sooner is only passing
local group = vim.api.nvim_create_augroup("spark.focus", {})
local timer = assert(vim.uv.new_timer())

local function tell()
  -- While typing each request says where the cursor is.
  if vim.startswith(vim.api.nvim_get_mode().mode, "i") then
    return
  end
  local client = vim.lsp.get_clients({ name = "spark", bufnr = 0 })[1]
  if client and client.initialized then
    local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
    client:notify("textDocument/didFocus" --[[@as any]], params)
  end
end

local function moved()
  timer:start(SETTLE_MS, 0, vim.schedule_wrap(tell))
end

---@param bufnr integer
function M.watch(bufnr)
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  vim.api.nvim_create_autocmd({ "BufEnter", "CursorMoved" }, {
    group = group,
    buffer = bufnr,
    desc = "Spark: tell where the cursor rests",
    callback = moved,
  })
  moved()
end

---@param bufnr integer
function M.unwatch(bufnr)
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
end

return M
