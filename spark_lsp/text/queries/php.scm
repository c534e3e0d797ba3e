; What a PHP file defines, imports and uses.

;; definitions
(namespace_definition name: (_) @name body: (_) @body) @container
(class_declaration name: (name) @name body: (_) @body) @definition.class
(interface_declaration name: (name) @name body: (_) @body) @definition.interface
(trait_declaration name: (name) @name body: (_) @body) @definition.class
(enum_declaration name: (name) @name body: (_) @body) @definition.enum
(enum_case name: (name) @name) @definition.constant
(const_declaration (const_element . (name) @name)) @definition.constant
(property_declaration (property_element name: (variable_name (name) @name))) @definition.field
(property_promotion_parameter name: (variable_name (name) @name)) @definition.field
(method_declaration name: (name) @name) @definition.method
(method_declaration name: (name) @name body: (_) @body) @definition.method
(function_definition name: (name) @name body: (_) @body) @definition.function
((function_call_expression function: (name) @caller arguments: (arguments . (argument (string (string_content) @name))))
  @definition.constant (#eq? @caller "define"))

;; references
(name) @reference

;; imports
(namespace_use_declaration (namespace_use_clause (qualified_name (name) @import.name) @import.module))
(namespace_use_declaration (namespace_use_clause . (name) @import.module))
(namespace_use_declaration (namespace_name) @import.module
  body: (namespace_use_group (namespace_use_clause . (name) @import.name)))
[(require_expression (string (string_content) @import.module))
 (require_once_expression (string (string_content) @import.module))
 (include_expression (string (string_content) @import.module))
 (include_once_expression (string (string_content) @import.module))
 (require_expression (binary_expression right: (string (string_content) @import.module)))
 (require_once_expression (binary_expression right: (string (string_content) @import.module)))
 (include_expression (binary_expression right: (string (string_content) @import.module)))
 (include_once_expression (binary_expression right: (string (string_content) @import.module)))]

;; scopes
(program) @scope
(function_definition) @scope
(method_declaration) @scope
(class_declaration) @scope
(anonymous_function) @scope
(arrow_function) @scope
(compound_statement) @scope

;; comments
(comment) @comment
[(string) (encapsed_string) (heredoc) (nowdoc) (text)] @string
[(encapsed_string [(variable_name) (member_access_expression) (subscript_expression) (dynamic_variable_name)
   (member_call_expression)] @code)
 (heredoc_body [(variable_name) (member_access_expression) (subscript_expression) (member_call_expression)] @code)]
