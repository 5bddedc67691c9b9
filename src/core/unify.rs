//! The one type that several types have in common, as Terraform finds it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::convert::may_convert;
use crate::{ObjectField, Type};

/// The one type to which all convert, or `None`. No type at all gives `Any`.
///
/// Rules of go-cty 1.16 (`convert.UnifyUnsafe`): collections of one kind unify element by element; objects with the same
/// attributes and tuples of the same length stay such, others become maps and lists; anything else takes the most general of the
/// given types that all convert to. One `Any` among collections leaves the whole unknown: `Any`.
pub fn unify<'a>(types: impl IntoIterator<Item = &'a Type>) -> Option<Type> {
    // The same type twice changes nothing, and collections may have many elements.
    let mut distinct: Vec<&Type> = Vec::new();
    for ty in types {
        if !distinct.contains(&ty) {
            distinct.push(ty);
        }
    }
    unify_all(&distinct)
}

fn unify_all(types: &[&Type]) -> Option<Type> {
    let Some(first) = types.first() else { return Some(Type::Any) };
    if types.iter().all(|ty| ty == first) {
        return Some((*first).clone());
    }
    let count = |test: fn(&Type) -> bool| types.iter().filter(|ty| test(ty)).count();
    let any = count(|ty| *ty == Type::Any);
    let maps = count(|ty| matches!(ty, Type::Map(_)));
    let lists = count(|ty| matches!(ty, Type::List(_)));
    let sets = count(|ty| matches!(ty, Type::Set(_)));
    let objects = count(|ty| matches!(ty, Type::Object(_)));
    let tuples = count(|ty| matches!(ty, Type::Tuple(_)));
    let all = types.len();
    let or_any = |unified: fn(&[&Type]) -> Option<Type>| if any > 0 { Some(Type::Any) } else { unified(types) };
    if maps > 0 && maps + any == all {
        return or_any(|types| Some(Type::map(unify_elements(types)?)));
    }
    if lists > 0 && lists + any == all {
        return or_any(|types| Some(Type::list(unify_elements(types)?)));
    }
    if sets > 0 && sets + any == all {
        return or_any(|types| Some(Type::set(unify_elements(types)?)));
    }
    if objects > 0 && objects + any == all {
        return or_any(unify_objects);
    }
    if tuples > 0 && tuples + any == all {
        return or_any(unify_tuples);
    }
    if objects > 0 && tuples > 0 {
        return None;
    }
    // Objects among maps are maps in disguise, and tuples among lists are lists.
    if maps > 0
        && maps + objects + any == all
        && let Some(unified @ Type::Map(_)) = replaced(types, |ty| matches!(ty, Type::Object(_)), objects_as_map)
    {
        return Some(unified);
    }
    if lists > 0
        && lists + tuples + any == all
        && let Some(unified @ Type::List(_)) = replaced(types, |ty| matches!(ty, Type::Tuple(_)), tuples_as_list)
    {
        return Some(unified);
    }
    by_preference(types)
}

fn unify_elements(types: &[&Type]) -> Option<Type> {
    let element = |ty: &&'_ Type| match ty {
        Type::List(element) | Type::Set(element) | Type::Map(element) => Some((**element).clone()),
        _ => None,
    };
    let elements: Vec<Type> = types.iter().filter_map(element).collect();
    unify(&elements)
}

fn fields_of(ty: &Type) -> Option<&BTreeMap<String, ObjectField>> {
    match ty {
        Type::Object(fields) => Some(fields),
        _ => None,
    }
}

fn elements_of(ty: &Type) -> Option<&Vec<Type>> {
    match ty {
        Type::Tuple(elements) => Some(elements),
        _ => None,
    }
}

fn unify_objects(types: &[&Type]) -> Option<Type> {
    let all: Vec<&BTreeMap<String, ObjectField>> = types.iter().filter_map(|ty| fields_of(ty)).collect();
    let (first, rest) = all.split_first()?;
    if !rest.iter().all(|fields| fields.keys().eq(first.keys())) {
        return objects_as_map(types);
    }
    let each =
        |name: &String| Some((name.clone(), unify(all.iter().filter_map(|fields| Some(&fields.get(name)?.ty)))?));
    Some(Type::object(first.keys().map(each).collect::<Option<Vec<_>>>()?))
}

/// Objects that have no attribute at all say nothing about the elements of a map.
fn objects_as_map(types: &[&Type]) -> Option<Type> {
    let mut attributes = types
        .iter()
        .filter_map(|ty| fields_of(ty))
        .flat_map(|fields| fields.values().map(|field| &field.ty))
        .peekable();
    attributes.peek()?;
    usable(Type::map(unify(attributes)?), types)
}

fn unify_tuples(types: &[&Type]) -> Option<Type> {
    let all: Vec<&Vec<Type>> = types.iter().filter_map(|ty| elements_of(ty)).collect();
    let (first, rest) = all.split_first()?;
    if !rest.iter().all(|elements| elements.len() == first.len()) {
        return tuples_as_list(types);
    }
    let each = |index: usize| unify(all.iter().filter_map(|elements| elements.get(index)));
    Some(Type::Tuple((0..first.len()).map(each).collect::<Option<Vec<_>>>()?))
}

fn tuples_as_list(types: &[&Type]) -> Option<Type> {
    let mut elements = types.iter().filter_map(|ty| elements_of(ty)).flatten().peekable();
    elements.peek()?;
    usable(Type::list(unify(elements)?), types)
}

fn usable(unified: Type, types: &[&Type]) -> Option<Type> {
    types.iter().all(|ty| may_convert(ty, &unified)).then_some(unified)
}

/// Unifies the types among `types` that pass `test` to a collection, and then that with the others.
fn replaced(types: &[&Type], test: fn(&Type) -> bool, unified: fn(&[&Type]) -> Option<Type>) -> Option<Type> {
    let chosen: Vec<&Type> = types.iter().copied().filter(|ty| test(ty)).collect();
    let collection = unified(&chosen)?;
    let with_collection: Vec<&Type> = types.iter().map(|ty| if test(ty) { &collection } else { *ty }).collect();
    unify_all(&with_collection)
}

/// The most general of the types to which all others convert.
fn by_preference(types: &[&Type]) -> Option<Type> {
    most_general_first(types)
        .into_iter()
        .map(|index| types[index])
        .find(|wanted| types.iter().all(|ty| may_convert(ty, wanted)))
        .cloned()
}

/// Indices of `types` in an order where a type comes before those that it is more general than.
fn most_general_first(types: &[&Type]) -> Vec<usize> {
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); types.len()];
    let mut waiting_for = vec![0usize; types.len()];
    for first in 0..types.len() {
        for second in first + 1..types.len() {
            let (general, special) = match generality(types[first], types[second]) {
                Ordering::Less => (first, second),
                Ordering::Greater => (second, first),
                Ordering::Equal => continue,
            };
            before[general].push(special);
            waiting_for[special] += 1;
        }
    }
    let mut order: Vec<usize> = (0..types.len()).filter(|index| waiting_for[*index] == 0).collect();
    let mut next = 0;
    while let Some(index) = order.get(next).copied() {
        next += 1;
        for special in &before[index] {
            waiting_for[*special] -= 1;
            if waiting_for[*special] == 0 {
                order.push(*special);
            }
        }
    }
    order
}

/// Which type is to be preferred as the common one: `Less` when it is `a`.
fn generality(a: &Type, b: &Type) -> Ordering {
    let together = |orders: &mut dyn Iterator<Item = Ordering>| {
        let orders: Vec<Ordering> = orders.collect();
        match (orders.contains(&Ordering::Less), orders.contains(&Ordering::Greater)) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            _ => Ordering::Equal,
        }
    };
    match (a, b) {
        (Type::Any, Type::Any) => Ordering::Equal,
        (Type::Any, _) => Ordering::Greater,
        (_, Type::Any) => Ordering::Less,
        (Type::String, Type::Bool | Type::Number) => Ordering::Less,
        (Type::Bool | Type::Number, Type::String) => Ordering::Greater,
        (Type::List(a), Type::List(b)) | (Type::Set(a), Type::Set(b)) | (Type::Map(a), Type::Map(b)) => {
            generality(a, b)
        }
        (Type::List(_), Type::Set(_) | Type::Tuple(_))
        | (Type::Tuple(_), Type::Set(_))
        | (Type::Map(_), Type::Object(_)) => Ordering::Less,
        (Type::Set(_) | Type::Tuple(_), Type::List(_))
        | (Type::Set(_), Type::Tuple(_))
        | (Type::Object(_), Type::Map(_)) => Ordering::Greater,
        (Type::Object(a), Type::Object(b)) if a.keys().eq(b.keys()) => {
            together(&mut a.values().zip(b.values()).map(|(a, b)| generality(&a.ty, &b.ty)))
        }
        (Type::Tuple(a), Type::Tuple(b)) if a.len() == b.len() => {
            together(&mut a.iter().zip(b).map(|(a, b)| generality(a, b)))
        }
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_win_and_bool_and_number_do_not_meet() {
        assert_eq!(unify([&Type::Number, &Type::String]), Some(Type::String));
        assert_eq!(unify([&Type::Number, &Type::Bool]), None);
        assert_eq!(unify([&Type::Number, &Type::Bool, &Type::String]), Some(Type::String));
        assert_eq!(unify([&Type::Any, &Type::Bool]), Some(Type::Bool));
        assert_eq!(unify([]), Some(Type::Any));
    }

    #[test]
    fn structures_of_different_shape_become_collections() {
        let a = Type::object([("a", Type::Number)]);
        let b = Type::object([("b", Type::String)]);
        assert_eq!(unify([&a, &b]), Some(Type::map(Type::String)));
        let same = Type::object([("a", Type::String)]);
        assert_eq!(unify([&a, &same]), Some(same.clone()));
        let one = Type::Tuple(vec![Type::Number]);
        let two = Type::Tuple(vec![Type::Number, Type::Bool]);
        assert_eq!(unify([&one, &two]), None);
        assert_eq!(unify([&one, &Type::list(Type::String)]), Some(Type::list(Type::String)));
        assert_eq!(unify([&a, &one]), None);
    }
}
