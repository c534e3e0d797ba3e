-- The :Spark command: a table of subcommands, one row each.

local client = require("spark.client")

local M = {}

---@class spark.Subcommand
---@field about string
---@field arguments? string[]       offered by completion
---@field run fun(argument?: string, call: vim.api.keyset.create_user_command.command_args)

---@param method string
---@param params table|fun(running: vim.lsp.Client): table
---@param done fun(result: any)
local function ask(method, params, done)
  local running = client.get()
  if not running then
    vim.notify("Spark is not running here; see :checkhealth spark.", vim.log.levels.WARN)
    return
  end
  local value = params
  if type(value) == "function" then
    value = value(running)
  end
  running:request(method --[[@as any]], value, function(err, result)
    if err then
      vim.notify(("Spark: %s"):format(err.message), vim.log.levels.ERROR)
    else
      done(result)
    end
  end)
end

---@param lines string[]
local function say(lines)
  vim.api.nvim_echo({ { table.concat(lines, "\n") } }, false, {})
end

---@param call vim.api.keyset.create_user_command.command_args
---@param instruction string
local function rewrite(call, instruction)
  local last = vim.api.nvim_buf_get_lines(0, call.line2 - 1, call.line2, true)[1] or ""
  local running = client.get(0)
  local encoding = running and running.offset_encoding or "utf-16"
  local range = {
    start = { line = call.line1 - 1, character = 0 },
    ["end"] = { line = call.line2 - 1, character = vim.str_utfindex(last, encoding, #last) },
  }
  client.execute("spark.rewrite", { vim.uri_from_bufnr(0), range, instruction })
end

---@type table<string, spark.Subcommand>
local subcommands = {
  status = {
    about = "what the server is doing, and with which model",
    run = function()
      say(require("spark.status").describe())
    end,
  },
  pause = {
    about = "pause suggestions",
    run = function()
      client.execute("spark.pause")
    end,
  },
  resume = {
    about = "resume suggestions",
    run = function()
      client.execute("spark.resume")
    end,
  },
  restart = {
    about = "restart the engine, or the whole server",
    arguments = { "engine", "server" },
    run = function(argument)
      if argument == "server" then
        vim.lsp.enable("spark", false)
        vim.lsp.enable("spark", true)
      else
        client.execute("spark.restartEngine")
      end
    end,
  },
  unload = {
    about = "free the model's memory until the next suggestion",
    run = function()
      client.execute("spark.unloadModel")
    end,
  },
  reindex = {
    about = "rebuild the index",
    run = function()
      client.execute("spark.reindex")
    end,
  },
  action = {
    about = "choose one of Spark's code actions for the cursor or the selection",
    run = function(_, call)
      local running = client.get(0)
      local range = call.range > 0 and { start = { call.line1, 0 }, ["end"] = { call.line2, vim.v.maxcol } } or nil
      vim.lsp.buf.code_action({
        range = range,
        filter = function(_, client_id)
          return running ~= nil and (client_id == nil or client_id == running.id)
        end,
      })
    end,
  },
  rewrite = {
    about = "rewrite the selected lines by an instruction",
    run = function(_, call)
      local instruction = table.concat(call.fargs, " ", 2)
      if instruction ~= "" then
        rewrite(call, instruction)
        return
      end
      vim.ui.input({ prompt = "What should change? " }, function(text)
        if text and text ~= "" then
          rewrite(call, text)
        end
      end)
    end,
  },
  doctor = {
    about = "find setup problems",
    run = function()
      local cmd = client.config().cmd
      local program = type(cmd) == "table" and cmd[1] or "spark-lsp"
      say({ "Spark: looking at everything." })
      vim.system({ program, "doctor" }, { text = true }, function(done)
        vim.schedule(function()
          local text = done.stdout ~= "" and done.stdout or done.stderr or ""
          require("spark.page").open("doctor", vim.split(vim.trim(text), "\n", { plain = true }))
        end)
      end)
    end,
  },
  log = {
    about = "the last requests, each with its reason and times",
    run = function()
      ask("spark/log", vim.empty_dict(), function(result)
        local page = require("spark.page")
        page.open("log", page.log_lines(result))
      end)
    end,
  },
  context = {
    about = "the segments of the prompt here, with reasons",
    arguments = { "prompt" },
    run = function(argument)
      ask("spark/context", function(running)
        local params = vim.lsp.util.make_position_params(0, running.offset_encoding)
        return vim.tbl_extend("force", params, { prompt = argument == "prompt" })
      end, function(result)
        local page = require("spark.page")
        page.open("context", page.context_lines(result))
      end)
    end,
  },
  toggle = {
    about = "show or hide suggestions",
    arguments = { "on", "off" },
    run = function(argument)
      local wanted ---@type boolean?
      if argument then
        wanted = argument == "on"
      end
      say({ require("spark").toggle(wanted) and "Spark: on" or "Spark: off" })
    end,
  },
}

---@param command_line string
---@return string[]
local function candidates(command_line)
  local words = vim.split(command_line, "%s+")
  local offered = {} ---@type string[]
  if #words == 2 then
    offered = vim.tbl_keys(subcommands)
  elseif #words == 3 and subcommands[words[2]] then
    offered = subcommands[words[2]].arguments or {}
  end
  local found = vim.tbl_filter(function(name)
    return vim.startswith(name, words[#words])
  end, offered)
  table.sort(found)
  return found
end

function M.create()
  vim.api.nvim_create_user_command("Spark", function(call)
    local name, argument = call.fargs[1] or "status", call.fargs[2]
    local subcommand = subcommands[name]
    if not subcommand then
      local names = vim.tbl_keys(subcommands)
      table.sort(names)
      local known = table.concat(names, ", ")
      vim.notify(("Spark: unknown command %q. Commands: %s."):format(name, known), vim.log.levels.ERROR)
      return
    end
    subcommand.run(argument, call)
  end, {
    nargs = "*",
    range = true,
    desc = "Spark LSP: status, pause, resume, restart, unload, log, context, action, rewrite, doctor, toggle, reindex",
    complete = function(_, line)
      return candidates(line)
    end,
  })
end

return M
