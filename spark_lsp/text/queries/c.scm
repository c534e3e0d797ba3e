; What a C file defines, includes and uses.

;; definitions
(function_definition declarator: (function_declarator declarator: (identifier) @name) body: (compound_statement) @body) @definition.function
(function_definition declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))
  body: (compound_statement) @body) @definition.function
(function_definition declarator: (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator
  declarator: (identifier) @name))) body: (compound_statement) @body) @definition.function
[
 (translation_unit (declaration declarator: [(function_declarator declarator: (identifier) @name)
   (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))
   (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator
     declarator: (identifier) @name)))]) @definition.function)
 (preproc_ifdef (declaration declarator: [(function_declarator declarator: (identifier) @name)
   (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))
   (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator
     declarator: (identifier) @name)))]) @definition.function)
 (preproc_if (declaration declarator: [(function_declarator declarator: (identifier) @name)
   (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))
   (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator
     declarator: (identifier) @name)))]) @definition.function)
 (preproc_else (declaration declarator: [(function_declarator declarator: (identifier) @name)
   (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))
   (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator
     declarator: (identifier) @name)))]) @definition.function)
 (preproc_elif (declaration declarator: [(function_declarator declarator: (identifier) @name)
   (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))
   (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator
     declarator: (identifier) @name)))]) @definition.function)
 (declaration_list (declaration declarator: [(function_declarator declarator: (identifier) @name)
   (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))
   (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator
     declarator: (identifier) @name)))]) @definition.function)
]
[
 (translation_unit (declaration declarator: [(identifier) @name (pointer_declarator declarator: (identifier) @name)
   (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @name))
   (array_declarator declarator: (identifier) @name) (init_declarator declarator: [(identifier) @name
     (pointer_declarator declarator: (identifier) @name) (array_declarator declarator: (identifier) @name)
     (pointer_declarator declarator: (array_declarator declarator: (identifier) @name))
     (array_declarator declarator: (array_declarator declarator: (identifier) @name))])]) @definition.variable)
 (preproc_ifdef (declaration declarator: [(identifier) @name (pointer_declarator declarator: (identifier) @name)
   (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @name))
   (array_declarator declarator: (identifier) @name) (init_declarator declarator: [(identifier) @name
     (pointer_declarator declarator: (identifier) @name) (array_declarator declarator: (identifier) @name)
     (pointer_declarator declarator: (array_declarator declarator: (identifier) @name))
     (array_declarator declarator: (array_declarator declarator: (identifier) @name))])]) @definition.variable)
 (preproc_if (declaration declarator: [(identifier) @name (pointer_declarator declarator: (identifier) @name)
   (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @name))
   (array_declarator declarator: (identifier) @name) (init_declarator declarator: [(identifier) @name
     (pointer_declarator declarator: (identifier) @name) (array_declarator declarator: (identifier) @name)
     (pointer_declarator declarator: (array_declarator declarator: (identifier) @name))
     (array_declarator declarator: (array_declarator declarator: (identifier) @name))])]) @definition.variable)
 (preproc_else (declaration declarator: [(identifier) @name (pointer_declarator declarator: (identifier) @name)
   (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @name))
   (array_declarator declarator: (identifier) @name) (init_declarator declarator: [(identifier) @name
     (pointer_declarator declarator: (identifier) @name) (array_declarator declarator: (identifier) @name)
     (pointer_declarator declarator: (array_declarator declarator: (identifier) @name))
     (array_declarator declarator: (array_declarator declarator: (identifier) @name))])]) @definition.variable)
 (preproc_elif (declaration declarator: [(identifier) @name (pointer_declarator declarator: (identifier) @name)
   (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @name))
   (array_declarator declarator: (identifier) @name) (init_declarator declarator: [(identifier) @name
     (pointer_declarator declarator: (identifier) @name) (array_declarator declarator: (identifier) @name)
     (pointer_declarator declarator: (array_declarator declarator: (identifier) @name))
     (array_declarator declarator: (array_declarator declarator: (identifier) @name))])]) @definition.variable)
 (declaration_list (declaration declarator: [(identifier) @name (pointer_declarator declarator: (identifier) @name)
   (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @name))
   (array_declarator declarator: (identifier) @name) (init_declarator declarator: [(identifier) @name
     (pointer_declarator declarator: (identifier) @name) (array_declarator declarator: (identifier) @name)
     (pointer_declarator declarator: (array_declarator declarator: (identifier) @name))
     (array_declarator declarator: (array_declarator declarator: (identifier) @name))])]) @definition.variable)
]
(struct_specifier name: (type_identifier) @name body: (_) @body) @definition.class
(union_specifier name: (type_identifier) @name body: (_) @body) @definition.class
(enum_specifier name: (type_identifier) @name body: (_) @body) @definition.enum
(enumerator name: (identifier) @name) @definition.constant
(type_definition declarator: (type_identifier) @name) @definition.type
(field_declaration declarator: (field_identifier) @name) @definition.field
(field_declaration declarator: (pointer_declarator declarator: (field_identifier) @name)) @definition.field
(field_declaration declarator: (pointer_declarator declarator: (pointer_declarator
  declarator: (field_identifier) @name))) @definition.field
(field_declaration declarator: (array_declarator declarator: (field_identifier) @name)) @definition.field
(field_declaration declarator: (function_declarator declarator: (parenthesized_declarator
  (pointer_declarator declarator: (field_identifier) @name)))) @definition.field
(type_definition declarator: (pointer_declarator declarator: (type_identifier) @name)) @definition.type
(type_definition declarator: (function_declarator declarator: (parenthesized_declarator
  (pointer_declarator declarator: (type_identifier) @name)))) @definition.type
(preproc_def name: (identifier) @name) @definition.constant
(preproc_function_def name: (identifier) @name) @definition.function
; An include guard has no value and something to guard; alone it is the default of a macro that may be empty.
(preproc_ifdef name: (identifier) @asked (preproc_def name: (identifier) @guard !value) . (_) (#eq? @asked @guard))
(preproc_if condition: (unary_expression argument: (preproc_defined (identifier) @asked))
  (preproc_def name: (identifier) @guard !value) . (_) (#eq? @asked @guard))

;; references
[(identifier) (field_identifier) (type_identifier)] @reference

;; imports
(preproc_include path: (string_literal (string_content) @import.module))
(preproc_include path: (system_lib_string) @import.module)

;; scopes
(translation_unit) @scope
(function_definition) @scope
(compound_statement) @scope

;; comments
(comment) @comment
[(string_literal) (char_literal) (system_lib_string)] @string
