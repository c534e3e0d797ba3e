-- The edit that follows from the last one: asked for, shown in normal mode, and the two keys that act on it.
--
-- The keys are mapped while an edit is shown and are the user's own again at once when it is not.

local config = require("spark.config")
local draw = require("spark.next_edit_draw")
local fixes = require("spark.quick_fixes")
local position = require("spark.position")

local M = {}

local DEBOUNCE_MS = 100
local FOLLOW_MS = 10000 -- a cursor that moves later than this after an edit asks for nothing
local METHOD = "textDocument/copilotInlineEdit" --[[@as any]]

---@class spark.NextEdit
---@field client_id integer
---@field edit table          as the server sent it
---@field origin integer      the buffer that it was asked for in
---@field tick integer        the text of that buffer
---@field subtle boolean      only the mark is shown

local current ---@type spark.NextEdit?
local saved = {} ---@type table<string, { bufnr: integer, mapping: table }> the user's mappings under our keys
local edited_ms = 0
local asked_tick = -1 -- the text of the last question
local jumping = false
local group = vim.api.nvim_create_augroup("spark.next_edit", {})
local timer = assert(vim.uv.new_timer())

---@return "on"|"subtle"|"off"
local function mode()
  local edits = vim.tbl_get(config.current, "settings", "edits") or {}
  if edits.enabled == false then
    return "off"
  end
  return edits.mode or "on"
end

local function unmap()
  for lhs, held in pairs(saved) do
    if vim.api.nvim_buf_is_valid(held.bufnr) then
      pcall(vim.keymap.del, "n", lhs, { buffer = held.bufnr })
      if held.mapping.buffer == 1 then
        vim.api.nvim_buf_call(held.bufnr, function()
          vim.fn.mapset("n", false, held.mapping)
        end)
      end
    end
  end
  saved = {}
end

---@param bufnr integer
local function map(bufnr)
  unmap()
  local actions = { ["<Esc>"] = M.dismiss } ---@type table<string, fun()>
  local key = config.current.keys.next_edit
  if key then
    actions[key] = M.accept
  end
  for lhs, action in pairs(actions) do
    local mapping = vim.api.nvim_buf_call(bufnr, function()
      return vim.fn.maparg(lhs, "n", false, true)
    end)
    saved[lhs] = { bufnr = bufnr, mapping = mapping }
    vim.keymap.set("n", lhs, action, { buffer = bufnr, desc = "Spark: next edit" })
  end
end

--- Take the edit off the screen and give the keys back.
function M.hide()
  timer:stop()
  current = nil
  unmap()
  draw.clear()
end

---@return integer bufnr, integer row, integer col, integer end_row, integer end_col in bytes
local function place()
  assert(current)
  local client = assert(vim.lsp.get_client_by_id(current.client_id))
  local bufnr = vim.uri_to_bufnr(current.edit.textDocument.uri)
  vim.fn.bufload(bufnr)
  local range = current.edit.range
  local row, col = position.to_bytes(bufnr, range.start, client.offset_encoding)
  local end_row, end_col = position.to_bytes(bufnr, range["end"], client.offset_encoding)
  return bufnr, row, col, end_row, end_col
end

local function show()
  assert(current)
  local bufnr, row, col, end_row, end_col = place()
  draw.clear()
  if not current.subtle then
    draw.edit(bufnr, row, col, end_row, end_col, current.edit.text)
  end
  draw.mark(bufnr, row)
  local here = vim.api.nvim_get_current_buf()
  local cursor_row = vim.api.nvim_win_get_cursor(0)[1] - 1
  if here ~= bufnr or cursor_row ~= row then
    local file = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(bufnr), ":.")
    local where = here == bufnr and ("line %d"):format(row + 1) or file
    draw.hint(here, cursor_row, ("%s: %s"):format(where, current.edit.command.title))
  end
  map(here)
end

---@param bufnr integer
---@param tick integer
---@return boolean
local function is_current(bufnr, tick)
  return vim.api.nvim_get_current_buf() == bufnr
    and vim.api.nvim_buf_get_changedtick(bufnr) == tick
    and vim.api.nvim_get_mode().mode == "n"
end

---@param client vim.lsp.Client
---@param bufnr integer
---@param tick integer
---@param result table?
local function answered(client, bufnr, tick, result)
  local edit = result and result.edits and result.edits[1]
  if not is_current(bufnr, tick) then
    return
  end
  M.hide()
  if edit then
    current = { client_id = client.id, edit = edit, origin = bufnr, tick = tick, subtle = mode() == "subtle" }
    show()
    client:notify("textDocument/didShowInlineEdit" --[[@as any]], { item = edit })
  end
end

--- Ask for the next edit at the cursor.
function M.request()
  local bufnr = vim.api.nvim_get_current_buf()
  local client = vim.lsp.get_clients({ name = "spark", bufnr = bufnr })[1]
  if not client or not client.initialized or mode() == "off" or vim.api.nvim_get_mode().mode ~= "n" then
    return
  end
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  local document = { uri = params.textDocument.uri, version = vim.lsp.util.buf_versions[bufnr] }
  local tick = vim.api.nvim_buf_get_changedtick(bufnr)
  asked_tick = tick
  local question = { textDocument = document, position = params.position }
  client:request(METHOD, question, function(_, result)
    answered(client, bufnr, tick, result)
    if current or not result or result.reason ~= "edit.nothing" or not is_current(bufnr, tick) then
      return
    end
    fixes.nearest(bufnr, client.offset_encoding, function(fix)
      if not is_current(bufnr, tick) or current then
        return
      end
      client:request(METHOD, vim.tbl_extend("force", question, { fixes = { fix } }), function(_, second)
        answered(client, bufnr, tick, second)
      end, bufnr)
    end)
  end, bufnr)
end

local function request_soon()
  timer:start(DEBOUNCE_MS, 0, vim.schedule_wrap(M.request))
end

--- Whether an edit is on the screen.
---@return boolean
function M.visible()
  return current ~= nil
end

--- Go to the edit, or make it where the cursor is there already.
---@return boolean acted
function M.accept()
  if not current then
    return false
  end
  local bufnr, row, col = place()
  local here = vim.api.nvim_get_current_buf() == bufnr and vim.api.nvim_win_get_cursor(0)[1] - 1 == row
  local client = assert(vim.lsp.get_client_by_id(current.client_id))
  if not here or current.subtle then
    current.subtle = false
    if not here then
      jumping = true
      vim.cmd("normal! m'")
      if vim.api.nvim_get_current_buf() ~= bufnr then
        vim.api.nvim_set_option_value("buflisted", true, { buf = bufnr })
        vim.api.nvim_set_current_buf(bufnr)
      end
      vim.api.nvim_win_set_cursor(0, { row + 1, col })
      vim.cmd("normal! zv")
      vim.schedule(function()
        jumping = false
      end)
    end
    show()
    return true
  end
  local edit = current.edit
  M.hide()
  vim.lsp.util.apply_text_edits({ { range = edit.range, newText = edit.text } }, bufnr, client.offset_encoding)
  client:exec_cmd(edit.command, { bufnr = bufnr })
  edited_ms = vim.uv.now()
  M.request()
  return true
end

--- The user does not want the edit: the server is told, and does not offer it again.
---@return boolean dismissed
function M.dismiss()
  if not current then
    return false
  end
  local client, edit = vim.lsp.get_client_by_id(current.client_id), current.edit
  M.hide()
  if client then
    client:notify("textDocument/didDismissInlineEdit" --[[@as any]], { item = edit })
  end
  return true
end

local function changed()
  if asked_tick == vim.api.nvim_buf_get_changedtick(0) then
    return -- the edit that was just made here; what follows it is asked for
  end
  edited_ms = vim.uv.now()
  M.hide()
  request_soon()
end

local function moved()
  if jumping then
    return
  end
  if current then
    show()
  elseif edited_ms > 0 and vim.uv.now() - edited_ms < FOLLOW_MS then
    request_soon()
  end
end

local function diagnosed()
  if not current and edited_ms > 0 and vim.uv.now() - edited_ms < FOLLOW_MS then
    request_soon()
  end
end

local function left()
  if not jumping then
    M.hide()
  end
end

---@param bufnr integer
function M.watch(bufnr)
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  for event, action in pairs({
    TextChanged = changed,
    InsertLeave = changed,
    CursorMoved = moved,
    DiagnosticChanged = diagnosed,
    InsertEnter = M.hide,
    BufLeave = left,
  }) do
    vim.api.nvim_create_autocmd(event, {
      group = group,
      buffer = bufnr,
      desc = "Spark: next edits",
      callback = function()
        action()
      end,
    })
  end
end

---@param bufnr integer
function M.unwatch(bufnr)
  M.hide()
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
end

return M
