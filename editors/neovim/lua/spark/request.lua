-- One question to the server: streamed where it can, the standard request otherwise. The answer comes to one callback.

local stream = require("spark.stream")

local STREAM = "spark/inlineCompletionStream"
local STANDARD = "textDocument/inlineCompletion"
local METHOD_NOT_FOUND = -32601
-- InlineCompletionTriggerKind of LSP 3.18.
local TRIGGER = { invoked = 1, automatic = 2 }

---@class spark.Request
---@field bufnr integer
---@field client vim.lsp.Client
---@field tick integer       changedtick of the text it was asked for
---@field by_hand boolean   the answer may bring several candidates
---@field streaming boolean  false: the server answers once and has to be asked again for more
---@field private token? string
---@field private id? integer
---@field private finished boolean
local Request = {}
Request.__index = Request

-- Servers that have told us that they do not stream, by client id.
local without_stream = {} ---@type table<integer, true>

---@param client vim.lsp.Client
---@param bufnr integer shown in the current window
---@param trigger "invoked"|"automatic"
---@param on_items fun(request: spark.Request, items: spark.Item[], final: boolean)
---@return spark.Request
function Request.start(client, bufnr, trigger, on_items)
  local self = setmetatable({
    bufnr = bufnr,
    client = client,
    tick = vim.api.nvim_buf_get_changedtick(bufnr),
    by_hand = trigger == "invoked",
    streaming = not without_stream[client.id],
    finished = false,
  }, Request)
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  ---@cast params table
  params.context = { triggerKind = TRIGGER[trigger] }
  self:send(params, on_items)
  return self
end

---@private
---@param params table
---@param on_items fun(request: spark.Request, items: spark.Item[], final: boolean)
function Request:send(params, on_items)
  if self.streaming then
    self.token = stream.open(function(items)
      on_items(self, items, false)
    end)
    params.partialResultToken = self.token
  end
  local method = self.streaming and STREAM or STANDARD
  local _, id = self.client:request(method --[[@as any]], params, function(err, result)
    if self.token then
      stream.close(self.token)
    end
    local refused = err and err.code == METHOD_NOT_FOUND and self.streaming
    if refused then
      -- Also the refusal of a question that a later key has cancelled: that key must not be the next to ask in vain.
      without_stream[self.client.id] = true
    end
    if self.finished then
      return
    end
    if refused then
      self.streaming, self.token, params.partialResultToken = false, nil, nil
      self:send(params, on_items)
      return
    end
    self.finished = true
    -- An error is an empty answer here: spark/status and :Spark log tell the reason, a popup per key would not help.
    local items = result and (result.items or result) or {}
    on_items(self, err and {} or items, true)
  end, self.bufnr)
  self.id = id
end

--- After this the callback is not called again.
function Request:cancel()
  if self.finished then
    return
  end
  self.finished = true
  if self.token then
    stream.close(self.token)
  end
  if self.id and not self.client:is_stopped() then
    self.client:cancel_request(self.id)
  end
end

return Request
