; What a Python file defines, imports and uses. Sections begin with two semicolons; see text/language.py.

;; definitions
(function_definition name: (identifier) @name body: (block) @body) @definition.function
(class_definition name: (identifier) @name body: (block) @body) @definition.class
(decorated_definition definition: (function_definition name: (identifier) @name body: (block) @body)) @definition.function
(decorated_definition definition: (class_definition name: (identifier) @name body: (block) @body)) @definition.class
(module (expression_statement (assignment left: (identifier) @name) @definition.variable))
(module (expression_statement (assignment left: (identifier) @name) @definition.constant
  (#match? @name "^_*[A-Z][A-Z0-9_]*$")))
(module (if_statement (block (expression_statement (assignment left: (identifier) @name) @definition.variable))))
(class_definition body: (block (expression_statement (assignment left: (identifier) @name) @definition.field)))
(class_definition body: (block (expression_statement (assignment left: (identifier) @name) @definition.constant
  (#match? @name "^_*[A-Z][A-Z0-9_]*$"))))
((assignment left: (attribute object: (identifier) @receiver attribute: (identifier) @name)) @definition.field
  (#eq? @receiver "self"))
(type_alias_statement left: (type (identifier) @name)) @definition.type

;; references
(identifier) @reference

;; imports
(import_statement name: (dotted_name) @import.module)
(import_statement name: (aliased_import name: (dotted_name) @import.module))
(import_from_statement module_name: (_) @import.module)
(import_from_statement module_name: (_) @import.module name: (dotted_name) @import.name)
(import_from_statement module_name: (_) @import.module name: (aliased_import name: (dotted_name) @import.name))

;; scopes
(module) @scope
(function_definition) @scope
(class_definition) @scope
(lambda) @scope

;; comments
(comment) @comment
(string) @string
(interpolation) @code
