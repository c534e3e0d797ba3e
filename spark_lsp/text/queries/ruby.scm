; What a Ruby file defines, requires and uses.

;; definitions
(module name: (constant) @name) @definition.class
(module name: (constant) @name body: (_) @body) @definition.class
(module name: (scope_resolution scope: (_) @owner name: (constant) @name) body: (_) @body) @definition.class
(class name: (constant) @name) @definition.class
(class name: (constant) @name body: (_) @body) @definition.class
(class name: (scope_resolution scope: (_) @owner name: (constant) @name)) @definition.class
(class name: (scope_resolution scope: (_) @owner name: (constant) @name) body: (_) @body) @definition.class
(method name: (_) @name) @definition.function
(method name: (_) @name body: (_) @body) @definition.function
(singleton_method name: (_) @name) @definition.method
(singleton_method name: (_) @name body: (_) @body) @definition.method
(assignment left: (constant) @name) @definition.constant
(assignment left: (instance_variable) @name) @definition.field
((call method: (identifier) @maker arguments: (argument_list (simple_symbol) @name)) @definition.field
  (#match? @maker "^(attr_(reader|writer|accessor)|attribute|has_many|has_one|belongs_to|scope|delegate)$"))
((call method: (identifier) @maker arguments: (argument_list . (simple_symbol) @name) block: (_) @body)
  @definition.method (#match? @maker "^(define_method|let|subject|task)$"))

;; references
[(identifier) (constant)] @reference

;; imports
((call method: (identifier) @caller arguments: (argument_list (string (string_content) @import.module)))
  (#match? @caller "^(require|require_relative|load|autoload)$"))

;; scopes
(program) @scope
(class) @scope
(module) @scope
(method) @scope
(singleton_method) @scope
(block) @scope
(do_block) @scope

;; comments
(comment) @comment
[(string) (heredoc_body) (regex) (subshell) (string_array)] @string
(interpolation) @code
