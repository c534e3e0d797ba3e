-- Wiring one buffer: events to ghost text, keys, and off again.

local config = require("spark.config")
local focus = require("spark.focus")
local keys = require("spark.keys")

local M = {}

local group = vim.api.nvim_create_augroup("spark.attach", {})
local enabled = true
local attached = {} ---@type table<integer, true>

---@param bufnr integer
local function wire(bufnr)
  local ghost = require("spark.ghost")
  keys.map(bufnr, config.current.keys)
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  for event, action in pairs({
    InsertEnter = ghost.entered,
    TextChangedI = ghost.changed,
    TextChangedP = ghost.changed,
    CursorMovedI = ghost.moved,
    InsertLeave = ghost.hide,
    BufLeave = ghost.hide,
  }) do
    vim.api.nvim_create_autocmd(event, {
      group = group,
      buffer = bufnr,
      desc = "Spark: ghost text",
      -- An autocommand whose callback returns true deletes itself.
      callback = function()
        action()
      end,
    })
  end
end

---@param bufnr integer
local function unwire(bufnr)
  require("spark.ghost").hide()
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  keys.unmap(bufnr, config.current.keys)
end

---@param bufnr integer
---@param on boolean
local function apply(bufnr, on)
  if on then
    focus.watch(bufnr)
    require("spark.next_edit").watch(bufnr)
  else
    focus.unwatch(bufnr)
    require("spark.next_edit").unwatch(bufnr)
  end
  if config.builtin() then
    vim.lsp.inline_completion.enable(on, { bufnr = bufnr })
    if on then
      keys.map_builtin(bufnr, config.current.keys)
    else
      keys.unmap(bufnr, config.current.keys)
    end
  elseif on then
    wire(bufnr)
  else
    unwire(bufnr)
  end
end

vim.api.nvim_create_autocmd("LspDetach", {
  group = group,
  desc = "Spark: stop showing suggestions in this buffer",
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == "spark" and attached[event.buf] then
      attached[event.buf] = nil
      apply(event.buf, false)
    end
  end,
})

---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  attached[bufnr] = true
  if enabled then
    apply(bufnr, true)
    -- A server that starts while the user already types must not wait for the next time insert mode begins.
    local typing = vim.startswith(vim.api.nvim_get_mode().mode, "i")
    if typing and bufnr == vim.api.nvim_get_current_buf() and not config.builtin() and client.initialized then
      require("spark.ghost").entered()
    end
  end
end

---@param on? boolean nil toggles
---@return boolean on
function M.toggle(on)
  enabled = on == nil and not enabled or on == true
  for bufnr in pairs(attached) do
    apply(bufnr, enabled)
  end
  return enabled
end

return M
