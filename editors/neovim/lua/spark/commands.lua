-- The :Spark command: a table of subcommands, one row each.

local client = require("spark.client")

local M = {}

---@class spark.Subcommand
---@field about string
---@field arguments? string[]       offered by completion
---@field run fun(argument?: string)

---@param method string
---@param params table|fun(running: vim.lsp.Client): table
---@param done fun(result: any)
local function ask(method, params, done)
  local running = client.get()
  if not running then
    vim.notify("Spark is not running here. :checkhealth spark says why.", vim.log.levels.WARN)
    return
  end
  local value = type(params) == "function" and params(running) or params
  running:request(method, value, function(err, result)
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

---@type table<string, spark.Subcommand>
local subcommands = {
  status = {
    about = "what the server is doing, and with which model",
    run = function()
      say(require("spark.status").describe())
    end,
  },
  pause = {
    about = "no suggestions until resume",
    run = function()
      client.execute("spark.pause")
    end,
  },
  resume = {
    about = "suggestions again",
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
    about = "what the model would be shown here and why",
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
    about = "show suggestions or stop showing them",
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
      vim.notify(("Spark: no command %q. There are: %s."):format(name, table.concat(names, ", ")), vim.log.levels.ERROR)
      return
    end
    subcommand.run(argument)
  end, {
    nargs = "*",
    desc = "Spark LSP: status, pause, resume, restart, log, context, toggle",
    complete = function(_, line)
      return candidates(line)
    end,
  })
end

return M
