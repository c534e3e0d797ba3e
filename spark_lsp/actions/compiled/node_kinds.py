"""What each node type of the C, C++, Go, Java and Rust grammars does when it is evaluated: nothing, or something.

Anything that is not quiet counts as an effect, so a type of a newer grammar is refused until somebody decides it; a
test compares the tables with the installed grammars. Blocks, statements and declarations cannot be part of a moved
expression, so they count as effects too.
"""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


QUIET: Final = {
    "c": _words(
        """
        abstract_array_declarator abstract_function_declarator abstract_parenthesized_declarator
        abstract_pointer_declarator alignof_expression argument_list array_declarator binary_expression
        cast_expression char_literal character comment compound_literal_expression concatenated_string
        conditional_expression enum_specifier escape_sequence extension_expression false field_designator
        field_expression field_identifier function_declarator identifier init_declarator initializer_list
        initializer_pair null number_literal offsetof_expression parameter_declaration parameter_list
        parenthesized_declarator parenthesized_expression pointer_declarator pointer_expression
        primitive_type sized_type_specifier sizeof_expression storage_class_specifier string_content
        string_literal struct_specifier subscript_designator subscript_expression subscript_range_designator
        system_lib_string true type_descriptor type_identifier type_qualifier unary_expression
        union_specifier variadic_parameter
        """
    ),
    "cpp": _words(
        """
        abstract_array_declarator abstract_function_declarator abstract_parenthesized_declarator
        abstract_pointer_declarator abstract_reference_declarator alignof_expression argument_list
        array_declarator auto binary_expression cast_expression char_literal character class_specifier
        comment compound_literal_expression concatenated_string condition_clause conditional_expression
        decltype dependent_name dependent_type enum_specifier escape_sequence extension_expression false
        field_designator field_expression field_identifier fold_expression function_declarator identifier
        init_declarator initializer_list initializer_pair lambda_capture_initializer
        lambda_capture_specifier lambda_default_capture lambda_expression literal_suffix
        namespace_identifier nested_namespace_specifier noexcept null number_literal offsetof_expression
        operator_name optional_parameter_declaration parameter_declaration parameter_list
        parameter_pack_expansion parenthesized_declarator parenthesized_expression
        placeholder_type_specifier pointer_declarator pointer_expression pointer_type_declarator
        primitive_type qualified_identifier raw_string_content raw_string_delimiter raw_string_literal
        ref_qualifier reference_declarator requires_expression sized_type_specifier sizeof_expression
        storage_class_specifier string_content string_literal struct_specifier structured_binding_declarator
        subscript_argument_list subscript_designator subscript_expression subscript_range_designator
        system_lib_string template_argument_list template_function template_method template_type this
        trailing_return_type true type_descriptor type_identifier type_parameter_declaration type_qualifier
        unary_expression union_specifier user_defined_literal variadic_declarator
        variadic_parameter_declaration
        """
    ),
    "go": _words(
        """
        argument_list array_type binary_expression blank_identifier channel_type comment composite_literal
        escape_sequence expression_list false field_declaration field_declaration_list field_identifier
        float_literal func_literal function_type generic_type identifier imaginary_literal
        implicit_length_array_type index_expression int_literal interface_type interpreted_string_literal
        interpreted_string_literal_content iota keyed_element literal_element literal_value map_type
        method_elem negated_type nil package_identifier parameter_declaration parameter_list
        parenthesized_expression parenthesized_type pointer_type qualified_type raw_string_literal
        raw_string_literal_content rune_literal selector_expression slice_expression slice_type struct_type
        true type_arguments type_assertion_expression type_constraint type_conversion_expression type_elem
        type_identifier type_instantiation_expression type_parameter_declaration type_parameter_list
        unary_expression variadic_argument variadic_parameter_declaration
        """
    ),
    "java": _words(
        """
        annotated_type annotation annotation_argument_list argument_list array_access
        array_creation_expression array_initializer array_type binary_expression binary_integer_literal
        block_comment boolean_type cast_expression character_literal class_literal
        decimal_floating_point_literal decimal_integer_literal dimensions dimensions_expr escape_sequence
        false field_access floating_point_type generic_type hex_floating_point_literal hex_integer_literal
        identifier instanceof_expression integral_type line_comment marker_annotation method_reference
        modifiers multiline_string_fragment null_literal octal_integer_literal parenthesized_expression
        pattern record_pattern record_pattern_body record_pattern_component scoped_identifier
        scoped_type_identifier string_fragment string_literal super ternary_expression this true
        type_arguments type_bound type_identifier type_list type_parameter type_parameters type_pattern
        unary_expression underscore_pattern variable_declarator void_type wildcard
        """
    ),
    "rust": _words(
        """
        abstract_type arguments array_expression array_type base_field_initializer binary_expression
        block_comment boolean_literal bounded_type bracketed_type captured_pattern char_literal
        closure_expression closure_parameters const_block crate doc_comment dynamic_type escape_sequence
        field_expression field_identifier field_initializer field_initializer_list field_pattern
        float_literal for_lifetimes function_modifiers function_type generic_function generic_pattern
        generic_type generic_type_with_turbofish higher_ranked_trait_bound identifier index_expression
        inner_doc_comment_marker integer_literal lifetime line_comment match_pattern mut_pattern
        mutable_specifier negative_literal never_type or_pattern outer_doc_comment_marker parameter
        parameters parenthesized_expression pointer_type primitive_type qualified_type range_expression
        range_pattern raw_string_literal ref_pattern reference_expression reference_pattern reference_type
        remaining_field_pattern removed_trait_bound scoped_identifier scoped_type_identifier self
        shorthand_field_identifier shorthand_field_initializer slice_pattern string_content string_literal
        struct_expression struct_pattern super trait_bounds tuple_expression tuple_pattern
        tuple_struct_pattern tuple_type type_arguments type_binding type_cast_expression type_identifier
        type_parameter type_parameters unary_expression unit_expression unit_type
        """
    ),
}
"""Node types without an effect of their own; their parts decide."""

ACTING: Final = {
    "c": _words(
        """
        alignas_qualifier assignment_expression attribute attribute_declaration attribute_specifier
        attributed_declarator attributed_statement bitfield_clause break_statement call_expression
        case_statement comma_expression compound_statement continue_statement declaration declaration_list
        do_statement else_clause enumerator enumerator_list expression_statement field_declaration
        field_declaration_list for_statement function_definition generic_expression gnu_asm_clobber_list
        gnu_asm_expression gnu_asm_goto_list gnu_asm_input_operand gnu_asm_input_operand_list
        gnu_asm_output_operand gnu_asm_output_operand_list gnu_asm_qualifier goto_statement if_statement
        labeled_statement linkage_specification macro_type_specifier ms_based_modifier ms_call_modifier
        ms_declspec_modifier ms_pointer_modifier ms_restrict_modifier ms_signed_ptr_modifier
        ms_unaligned_ptr_modifier ms_unsigned_ptr_modifier preproc_arg preproc_call preproc_def
        preproc_defined preproc_directive preproc_elif preproc_elifdef preproc_else preproc_function_def
        preproc_if preproc_ifdef preproc_include preproc_params return_statement seh_except_clause
        seh_finally_clause seh_leave_statement seh_try_statement statement_identifier switch_statement
        translation_unit type_definition update_expression while_statement
        """
    ),
    "cpp": _words(
        """
        access_specifier alias_declaration alignas_qualifier assignment_expression attribute
        attribute_declaration attribute_specifier attributed_declarator attributed_statement
        base_class_clause bitfield_clause break_statement call_expression case_statement catch_clause
        co_await_expression co_return_statement co_yield_statement comma_expression compound_requirement
        compound_statement concept_definition constraint_conjunction constraint_disjunction
        continue_statement declaration declaration_list default_method_clause delete_expression
        delete_method_clause destructor_name do_statement else_clause enumerator enumerator_list
        explicit_function_specifier expression_statement field_declaration field_declaration_list
        field_initializer field_initializer_list for_range_loop for_statement friend_declaration
        function_definition generic_expression gnu_asm_clobber_list gnu_asm_expression gnu_asm_goto_list
        gnu_asm_input_operand gnu_asm_input_operand_list gnu_asm_output_operand gnu_asm_output_operand_list
        gnu_asm_qualifier goto_statement if_statement init_statement labeled_statement linkage_specification
        ms_based_modifier ms_call_modifier ms_declspec_modifier ms_pointer_modifier ms_restrict_modifier
        ms_signed_ptr_modifier ms_unaligned_ptr_modifier ms_unsigned_ptr_modifier namespace_alias_definition
        namespace_definition new_declarator new_expression operator_cast optional_type_parameter_declaration
        preproc_arg preproc_call preproc_def preproc_defined preproc_directive preproc_elif preproc_elifdef
        preproc_else preproc_function_def preproc_if preproc_ifdef preproc_include preproc_params
        pure_virtual_clause requirement_seq requires_clause return_statement seh_except_clause
        seh_finally_clause seh_leave_statement seh_try_statement simple_requirement statement_identifier
        static_assert_declaration switch_statement template_declaration template_instantiation
        template_parameter_list template_template_parameter_declaration throw_specifier throw_statement
        translation_unit try_statement type_definition type_requirement update_expression using_declaration
        variadic_type_parameter_declaration virtual_specifier while_statement
        """
    ),
    "go": _words(
        """
        assignment_statement block break_statement call_expression communication_case const_declaration
        const_spec continue_statement dec_statement default_case defer_statement dot empty_statement
        expression_case expression_statement expression_switch_statement fallthrough_statement for_clause
        for_statement function_declaration go_statement goto_statement if_statement import_declaration
        import_spec import_spec_list inc_statement label_name labeled_statement method_declaration
        package_clause range_clause receive_statement return_statement select_statement send_statement
        short_var_declaration source_file statement_list type_alias type_case type_declaration type_spec
        type_switch_statement var_declaration var_spec var_spec_list
        """
    ),
    "java": _words(
        """
        annotation_type_body annotation_type_declaration annotation_type_element_declaration
        assert_statement assignment_expression asterisk block break_statement catch_clause
        catch_formal_parameter catch_type class_body class_declaration compact_constructor_declaration
        constant_declaration constructor_body constructor_declaration continue_statement do_statement
        element_value_array_initializer element_value_pair enhanced_for_statement enum_body
        enum_body_declarations enum_constant enum_declaration explicit_constructor_invocation
        exports_module_directive expression_statement extends_interfaces field_declaration finally_clause
        for_statement formal_parameter formal_parameters guard if_statement import_declaration
        inferred_parameters interface_body interface_declaration labeled_statement lambda_expression
        local_variable_declaration method_declaration method_invocation module_body module_declaration
        object_creation_expression opens_module_directive package_declaration permits program
        provides_module_directive receiver_parameter record_declaration requires_modifier
        requires_module_directive resource resource_specification return_statement spread_parameter
        static_initializer string_interpolation super_interfaces superclass switch_block
        switch_block_statement_group switch_expression switch_label switch_rule synchronized_statement
        template_expression throw_statement throws try_statement try_with_resources_statement
        update_expression uses_module_directive while_statement yield_statement
        """
    ),
    "rust": _words(
        """
        assignment_expression associated_type async_block attribute attribute_item await_expression block
        break_expression call_expression compound_assignment_expr const_item const_parameter
        continue_expression declaration_list else_clause empty_statement enum_item enum_variant
        enum_variant_list expression_statement extern_crate_declaration extern_modifier field_declaration
        field_declaration_list for_expression foreign_mod_item fragment_specifier function_item
        function_signature_item gen_block if_expression impl_item inner_attribute_item label let_chain
        let_condition let_declaration lifetime_parameter loop_expression macro_definition macro_invocation
        macro_rule match_arm match_block match_expression metavariable mod_item
        ordered_field_declaration_list return_expression scoped_use_list self_parameter shebang source_file
        static_item struct_item token_binding_pattern token_repetition token_repetition_pattern token_tree
        token_tree_pattern trait_item try_block try_expression type_item union_item unsafe_block
        use_as_clause use_bounds use_declaration use_list use_wildcard variadic_parameter
        visibility_modifier where_clause where_predicate while_expression yield_expression
        """
    ),
}
"""Node types that may run other code, change something, or cannot be part of a moved expression."""
