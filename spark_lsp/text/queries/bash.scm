; What a Bash or POSIX shell script defines, sources and uses.

;; definitions
(function_definition name: (word) @name body: (_) @body) @definition.function
(program (variable_assignment name: (variable_name) @name) @definition.variable)
(program (declaration_command (variable_assignment name: (variable_name) @name)) @definition.variable)
(program (declaration_command (variable_name) @name) @definition.variable)
((program (variable_assignment name: (variable_name) @name) @definition.constant) (#match? @name "^[A-Z][A-Z0-9_]*$"))
((program (declaration_command (variable_assignment name: (variable_name) @name)) @definition.constant)
  (#match? @name "^[A-Z][A-Z0-9_]*$"))

;; references
((variable_name) @reference (#match? @reference "^[A-Za-z_]"))
((command_name (word) @reference) (#match? @reference "^[A-Za-z_]+$"))

;; imports
((command name: (command_name (word) @caller) . argument: [(word) (string) (raw_string) (concatenation)] @import.module)
  (#match? @caller "^(source|\\.)$"))

;; scopes
(program) @scope
(function_definition) @scope
(subshell) @scope

;; comments
(comment) @comment
[(string) (raw_string) (ansi_c_string) (heredoc_body)] @string
[(expansion) (simple_expansion) (command_substitution)] @code
