-- Which suggestion is on the screen, and which question is open. There is one cursor, so there is one of each.
--
-- What must not happen: a visible suggestion replaced by a different one while it still fits what is typed; an answer
-- to an older text shown; a request left running that nobody waits for.

local Request = require("spark.request")
local Suggestion = require("spark.suggestion")
local draw = require("spark.draw")

local M = {}

local current ---@type spark.Suggestion?
local asking ---@type spark.Request?
local owner ---@type spark.Request? the request that `current` came from
local seen ---@type { tick: integer, row: integer, col: integer }? the text and cursor last looked at
local candidates = {} ---@type spark.Suggestion[] what the answer by hand has to choose from, `current` among it
local turning = 0 -- how far to turn once the candidates have come

local function look()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  seen = { tick = vim.api.nvim_buf_get_changedtick(0), row = row, col = col }
end

local function stop_asking()
  if asking then
    asking:cancel()
    asking = nil
  end
  turning = 0
end

local function drop()
  for _, candidate in ipairs(candidates) do
    candidate:release()
  end
  candidates = {}
  if current then
    draw.clear(current.bufnr)
    current:release()
    current, owner = nil, nil
  end
end

--- Draw what is left of the current suggestion, or drop it when it no longer fits.
---@return boolean visible
local function refresh()
  local view = current and current:view()
  if not current or not view then
    drop()
    return false
  end
  draw.draw(current.bufnr, view)
  return true
end

---@param suggestion spark.Suggestion
local function tell_shown(suggestion)
  local client = vim.lsp.get_client_by_id(suggestion.client_id)
  if client and not suggestion.shown then
    suggestion.shown = true
    client:notify("textDocument/didShowCompletion" --[[@as any]], { item = suggestion.item })
  end
end

---@param request spark.Request
---@param item spark.Item
local function show(request, item)
  drop()
  current = Suggestion.new(request.client, request.bufnr, item)
  owner = request
  if refresh() then
    tell_shown(current)
  end
end

--- A later value for what is shown. While it streams only an extension is taken; the final answer is the server's word.
---@param item spark.Item?
---@param final boolean
local function grow(item, final)
  assert(current)
  if not item then
    if final then
      drop()
    end
    return
  end
  if final or vim.startswith(item.insertText, current.item.insertText) then
    current.item = item
    refresh()
  end
end

--- The answer to a question asked while an earlier suggestion was being typed through: taken if it says more of it.
---@param request spark.Request
---@param item spark.Item
local function extend(request, item)
  assert(current)
  local shown = current:view()
  local candidate = Suggestion.new(request.client, request.bufnr, item)
  local longer = candidate:view()
  if shown and longer and #longer.rest > #shown.rest and vim.startswith(longer.rest, shown.rest) then
    drop()
    current, owner = candidate, request
    refresh()
  else
    candidate:release()
  end
end

--- Move on among the candidates; those that what was typed has ruled out are passed over.
---@param step integer
local function turn(step)
  local fitting = vim.tbl_filter(function(candidate)
    return candidate:view() ~= nil
  end, candidates)
  for index, candidate in ipairs(fitting) do
    if candidate == current then
      local chosen = fitting[(index - 1 + step) % #fitting + 1] --[[@as spark.Suggestion]]
      current = chosen
      refresh()
      tell_shown(chosen)
      return
    end
  end
end

--- Keep what else the final answer offers, for whoever has not typed on meanwhile, and turn as far as was asked.
---@param request spark.Request
---@param items spark.Item[]
local function choose_from(request, items)
  local shown = current and current:view()
  if not current or not shown then
    return
  end
  candidates = { current }
  for _, item in ipairs(items) do
    local candidate = Suggestion.new(request.client, request.bufnr, item)
    local view = candidate:view()
    if view and view.rest ~= shown.rest then
      table.insert(candidates, candidate)
    else
      candidate:release()
    end
  end
  local steps = turning
  turning = 0
  if steps ~= 0 and #candidates == 1 then
    vim.api.nvim_echo({ { "Spark: there is no other suggestion here." } }, false, {})
  elseif steps ~= 0 then
    turn(steps)
  end
end

--- Whether an answer is one to the text as it is. It may have changed with its event still to come, which asks again.
---@param request spark.Request
---@return boolean
local function fits(request)
  return vim.api.nvim_get_current_buf() == request.bufnr
    and vim.api.nvim_buf_get_changedtick(request.bufnr) == request.tick
    and vim.startswith(vim.api.nvim_get_mode().mode, "i")
    and vim.fn.pumvisible() == 0
end

---@param request spark.Request
---@param items spark.Item[]
---@param final boolean
local function answered(request, items, final)
  if request ~= asking then
    return
  end
  if final then
    asking = nil
  end
  local item = items[1]
  if current and owner == request then
    grow(item, final)
  elseif item and fits(request) then
    if current then
      extend(request, item)
    else
      show(request, item)
    end
  end
  if final and request.by_hand and fits(request) then
    choose_from(request, items)
  end
end

---@param trigger "invoked"|"automatic"
function M.request(trigger)
  local bufnr = vim.api.nvim_get_current_buf()
  local client = vim.lsp.get_clients({ name = "spark", bufnr = bufnr })[1]
  stop_asking()
  if client and client.initialized then
    asking = Request.start(client, bufnr, trigger, answered)
  end
end

---@return boolean asked
function M.by_hand()
  M.request("invoked")
  return asking ~= nil
end

--- Show the next candidate, or the one before. While typing there is only one: then the others are asked for by hand.
---@param step integer
---@return boolean visible false when there was nothing to turn
function M.turn(step)
  if not M.visible() then
    return false
  end
  if #candidates > 1 then
    turn(step)
  elseif asking and asking.by_hand then
    turning = turning + step
  else
    M.request("invoked")
    turning = step
  end
  return true
end

--- The text changed in insert mode.
function M.changed()
  look()
  if vim.fn.pumvisible() == 1 then
    M.hide()
    return
  end
  if current and refresh() then
    -- A stream goes on by itself; a server without streams serves the rest when asked again.
    if owner and not owner.streaming then
      M.request("automatic")
    end
    return
  end
  M.request("automatic")
end

--- The cursor moved. Typing moves it too, before the event of the change: that is not a move.
function M.moved()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local typed = seen and seen.tick ~= vim.api.nvim_buf_get_changedtick(0)
  if not typed and seen and (seen.row ~= row or seen.col ~= col) then
    M.hide()
  end
end

--- Insert mode began: an empty line opened with `o` deserves an answer before the first key.
function M.entered()
  look()
  M.request("automatic")
end

---@return boolean visible
function M.visible()
  return current ~= nil and current:view() ~= nil
end

--- Take the suggestion away, and forget the open question.
function M.hide()
  stop_asking()
  drop()
end

--- The user does not want the suggestion: the server is told, and does not offer it here again.
---@return boolean dismissed false when there was nothing to see
function M.dismiss()
  local dismissed = M.visible() and current or nil
  M.hide()
  local client = dismissed and vim.lsp.get_client_by_id(dismissed.client_id)
  if dismissed and client then
    client:notify("textDocument/didDismissCompletion" --[[@as any]], { item = dismissed.item })
  end
  return dismissed ~= nil
end

--- The suggestion at the cursor with what is left of it.
---@return spark.Suggestion?
---@return spark.View?
function M.get()
  local view = current and current:view()
  if current and view then
    return current, view
  end
end

--- Redraw after a part of the suggestion was inserted.
function M.advanced()
  look()
  refresh()
end

return M
