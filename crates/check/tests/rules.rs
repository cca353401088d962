//! The rules of the design that the pure function decides, each by name.

#![expect(clippy::unwrap_used, reason = "a test may fail here, in its supporting functions too")]

use rescind_check::*;

const KEY: [u8; 16] = [3; 16];

fn at(text: &str) -> Position {
    text.parse().unwrap()
}

fn end(index: &mut Index, target: TargetRef<'_>) -> Position {
    let position = index.head().next();
    index.apply(target.fingerprint(&FingerprintKey::new(KEY)), target.cut(None), position).unwrap();
    position
}

fn fill(index: &mut Index, entries: u64) {
    for n in 0..entries {
        end(index, TargetRef::Token(&format!("filler-{}-{n}", index.head())));
    }
}

fn verdict(index: &Index, lineage: Lineage<'_>) -> Verdict {
    index.verdict(&lineage.trace(&FingerprintKey::new(KEY)), Side::Node)
}

const ALICE: TargetRef<'static> = TargetRef::Subject { issuer: "i", subject: "alice" };

fn alice(position: Position) -> Lineage<'static> {
    Lineage { token: Some("t"), subject: Some(("i", "alice")), client: Some("mail"), ..Lineage::at(position, 0) }
}

#[test]
fn rule_1_what_inherits_a_stamp_from_before_the_cut_off_dies_and_a_fresh_sign_in_lives() {
    let mut index = Index::new();
    fill(&mut index, 3);
    let signed_in = index.head();
    let cut_off = end(&mut index, ALICE);
    fill(&mut index, 3);
    assert_eq!(verdict(&index, alice(signed_in)), Verdict::Revoked);
    assert_eq!(verdict(&index, alice(cut_off)), Verdict::NotRevoked);
    // Minted only now, but from a session of before: the stamp is the least over the lineage.
    assert_eq!(verdict(&index, alice(signed_in.min(index.head()))), Verdict::Revoked);
}

#[test]
fn rule_1_audience_cut_offs_are_matched_per_audience() {
    let mut index = Index::new();
    let signed_in = index.head();
    end(&mut index, TargetRef::Audience("payroll"));
    let (both, one) = (["payroll".to_owned(), "wiki".to_owned()], ["wiki".to_owned()]);
    assert_eq!(verdict(&index, Lineage { audiences: &both, ..alice(signed_in) }), Verdict::Revoked);
    assert_eq!(verdict(&index, Lineage { audiences: &one, ..alice(signed_in) }), Verdict::NotRevoked);
}

#[test]
fn rule_2_a_grant_that_ended_is_dead_whatever_the_stamp() {
    let mut index = Index::new();
    end(&mut index, TargetRef::Grant("g"));
    fill(&mut index, 5);
    for stamp in ["1-0", "1-1", "1-6"] {
        assert_eq!(verdict(&index, Lineage { grant: Some("g"), ..alice(at(stamp)) }), Verdict::Revoked);
    }
    assert_eq!(verdict(&index, Lineage { grant: Some("g2"), ..alice(at("1-0")) }), Verdict::NotRevoked);
}

#[test]
fn rule_3_ending_is_not_banning() {
    let mut index = Index::new();
    for target in [ALICE, TargetRef::Client("mail"), TargetRef::Device("d"), TargetRef::Everything] {
        let before = index.head();
        end(&mut index, target);
        let device = Some("d");
        assert_eq!(verdict(&index, Lineage { device, ..alice(before) }), Verdict::Revoked, "{target:?}");
        assert_eq!(verdict(&index, Lineage { device, ..alice(index.head()) }), Verdict::NotRevoked, "{target:?}");
    }
}

#[test]
fn rule_4_a_stamp_with_a_stale_configuration_dies_of_the_change_it_missed() {
    let mut index = Index::new();
    let snapshot = index.head();
    end(&mut index, TargetRef::Client("mail")); // committed with the restricting change that the snapshot lacks
    assert_eq!(verdict(&index, alice(stamp(index.head(), snapshot))), Verdict::Revoked);
    assert_eq!(verdict(&index, alice(stamp(index.head(), index.head()))), Verdict::NotRevoked);
}

#[test]
fn rule_5_a_stamp_of_an_unknown_epoch_is_dead() {
    let mut index = Index::new();
    index.open_epoch(3).unwrap();
    for unknown in ["0-0", "2-0", "2-1", "4-0", "4294967295-18446744073709551615"] {
        for side in [Side::Node, Side::Edge] {
            let trace = alice(at(unknown)).trace(&FingerprintKey::new(KEY));
            assert_eq!(index.verdict(&trace, side), Verdict::Revoked, "{unknown}");
        }
        assert_eq!(index.fault(at(unknown)), Some(Fault::UnknownEpoch));
    }
    assert_eq!(verdict(&index, alice(at("3-0"))), Verdict::NotRevoked);
    assert_eq!(verdict(&index, alice(at("1-0"))), Verdict::NotRevoked);
}

#[test]
fn rule_5_a_stamp_beyond_the_end_of_a_closed_epoch_is_dead() {
    let mut index = Index::new();
    fill(&mut index, 30);
    index.open_epoch(2).unwrap();
    assert_eq!(verdict(&index, alice(at("1-30"))), Verdict::NotRevoked);
    assert_eq!(verdict(&index, alice(at("1-31"))), Verdict::Revoked);
    assert_eq!(index.fault(at("1-31")), Some(Fault::BeyondEpoch));
}

#[test]
fn rule_5_after_a_restore_no_token_from_before_or_after_the_backup_lives() {
    let mut restored = Index::restore(&[(1, 30)], Position::START, []).unwrap();
    restored.open_epoch(2).unwrap();
    end(&mut restored, TargetRef::Everything);
    for before in ["1-0", "1-30", "1-31", "1-60", "2-0"] {
        assert_eq!(verdict(&restored, alice(at(before))), Verdict::Revoked, "{before}");
    }
    assert_eq!(verdict(&restored, alice(at("2-1"))), Verdict::NotRevoked);
}

#[test]
fn rule_5_an_index_from_before_a_restore_that_then_follows_honours_nothing_the_ledger_lost() {
    let mut old = Index::new();
    fill(&mut old, 30); // the backup
    fill(&mut old, 29);
    end(&mut old, TargetRef::Session("ended-after-the-backup"));
    assert_eq!(old.head(), at("1-60"));
    old.follow_epoch(2, &[(1, 30)]).unwrap();
    assert_eq!(verdict(&old, alice(at("1-45"))), Verdict::Revoked);
    assert_eq!(verdict(&old, alice(at("1-60"))), Verdict::Revoked);
    assert_eq!(verdict(&old, alice(at("1-30"))), Verdict::NotRevoked);
    let session = Some("ended-after-the-backup");
    assert_eq!(verdict(&old, Lineage { session, ..alice(at("2-0")) }), Verdict::Revoked);
    end(&mut old, TargetRef::Everything);
    assert_eq!(old.head(), at("2-1"));
    for before in ["1-0", "1-30", "1-45", "2-0"] {
        assert_eq!(verdict(&old, alice(at(before))), Verdict::Revoked, "{before}");
    }
    assert_eq!(verdict(&old, alice(at("2-1"))), Verdict::NotRevoked);
    assert_eq!(old.epochs().collect::<Vec<_>>(), [(1, 30), (2, 1)]);
}

#[test]
fn rule_5_two_restores_of_one_backup_share_no_life() {
    let backup = Index::restore(&[(1, 30)], Position::START, []).unwrap();
    let mut first = backup.clone();
    first.open_epoch(2).unwrap();
    end(&mut first, TargetRef::Everything);
    fill(&mut first, 5);
    let of_the_first = first.head();
    assert_eq!(verdict(&first, alice(of_the_first)), Verdict::NotRevoked);

    let mut second = backup;
    second.open_epoch(3).unwrap(); // 2 is taken: the head marker outside the database says so
    end(&mut second, TargetRef::Everything);
    assert_eq!(verdict(&second, alice(of_the_first)), Verdict::Revoked);
    assert_eq!(continuity(&second, of_the_first), Continuity::Foreign);

    first.follow_epoch(3, &[(1, 30)]).unwrap();
    assert_eq!(verdict(&first, alice(of_the_first)), Verdict::Revoked);
    end(&mut first, TargetRef::Everything);
    assert_eq!(verdict(&first, alice(of_the_first)), Verdict::Revoked);
    assert_eq!(continuity(&second, first.head()), Continuity::Same);
    assert_eq!(first.epochs().collect::<Vec<_>>(), second.epochs().collect::<Vec<_>>());
}

#[test]
fn rule_5_a_marker_peer_or_edge_that_is_ahead_is_noticed() {
    let mut ours = Index::new();
    fill(&mut ours, 10);
    assert_eq!(continuity(&ours, at("1-10")), Continuity::Same);
    assert_eq!(continuity(&ours, at("1-9")), Continuity::Behind);
    assert_eq!(continuity(&ours, at("1-11")), Continuity::Ahead);
    assert_eq!(continuity(&ours, at("2-0")), Continuity::Foreign);
    ours.open_epoch(3).unwrap();
    assert_eq!(continuity(&ours, at("1-10")), Continuity::Behind);
    assert_eq!(continuity(&ours, at("1-11")), Continuity::Foreign);
    assert_eq!(continuity(&ours, at("2-0")), Continuity::Foreign);
    assert_eq!(continuity(&ours, at("3-0")), Continuity::Same);
    assert_eq!(continuity(&ours, at("3-1")), Continuity::Ahead);
    assert_eq!(continuity(&ours, at("4-0")), Continuity::Foreign);
}

#[test]
fn rule_5_an_epoch_is_followed_only_with_all_of_its_past() {
    let mut index = Index::new();
    fill(&mut index, 10);
    let gap = |found| Err(OutOfOrder::Gap { expected: at("1-11"), found: at(found) });
    assert_eq!(index.follow_epoch(2, &[(1, 11)]), gap("1-11"));
    assert_eq!(index.follow_epoch(3, &[(1, 10), (2, 0)]), gap("2-0"));
    assert_eq!(index.follow_epoch(1, &[]), Err(OutOfOrder::EpochNotAfter { open: 1, found: 1 }));
    assert_eq!(index.open_epoch(1), Err(OutOfOrder::EpochNotAfter { open: 1, found: 1 }));
    assert_eq!(index.head(), at("1-10"));
    index.follow_epoch(2, &[(1, 10)]).unwrap();
    assert_eq!(index.head(), at("2-0"));
}

#[test]
fn rule_6_a_stamp_below_the_floor_is_dead_whatever_else_holds() {
    let mut index = Index::new();
    fill(&mut index, 10);
    index.forget_below(at("1-6"));
    for side in [Side::Node, Side::Edge] {
        let of = |stamp| alice(at(stamp)).trace(&FingerprintKey::new(KEY));
        assert_eq!(index.verdict(&of("1-5"), side), Verdict::Revoked);
        assert_eq!(index.verdict(&of("1-6"), side), Verdict::NotRevoked);
    }
    assert_eq!(index.fault(at("1-5")), Some(Fault::BelowFloor));
    assert_eq!(index.len(), 4);
}

#[test]
fn rule_6_verdicts_do_not_tell_whether_the_forgotten_is_swept_yet() {
    let mut index = Index::new();
    end(&mut index, TargetRef::Token("t"));
    fill(&mut index, 9);
    assert_eq!(verdict(&index, alice(at("1-5"))), Verdict::Revoked);
    index.raise_floor(at("1-3"));
    let mut swept = index.clone();
    swept.forget_below(at("1-3"));
    assert!(swept.len() < index.len());
    for (stamp, expected) in [("1-0", Verdict::Revoked), ("1-2", Verdict::Revoked), ("1-5", Verdict::NotRevoked)] {
        assert_eq!(verdict(&index, alice(at(stamp))), expected, "{stamp}");
        assert_eq!(verdict(&swept, alice(at(stamp))), expected, "{stamp}");
    }
}

#[test]
fn rule_6_the_floor_is_never_lowered() {
    let mut index = Index::new();
    fill(&mut index, 10);
    index.forget_below(at("1-6"));
    index.forget_below(at("1-2"));
    assert_eq!(index.floor(), at("1-6"));
    assert_eq!(verdict(&index, alice(at("1-5"))), Verdict::Revoked);
}

#[test]
fn rule_6_a_floor_above_the_head_forgets_what_comes_below_it() {
    let mut edge = Index::new();
    fill(&mut edge, 2);
    edge.forget_below(at("1-4"));
    assert!(edge.is_empty());
    let token = TargetRef::Token("t").fingerprint(&FingerprintKey::new(KEY));
    assert_eq!(edge.apply(token, Cut::ForGood, at("1-3")), Ok(Applied::BelowFloor));
    assert_eq!(edge.apply(token, Cut::ForGood, at("1-4")), Ok(Applied::BelowFloor));
    assert_eq!(edge.apply(token, Cut::ForGood, at("1-5")), Ok(Applied::New));
    assert_eq!(verdict(&edge, alice(at("1-3"))), Verdict::Revoked);
    assert_eq!(edge.position_of(token), Some(at("1-5")));
}

#[test]
fn rule_6_a_living_target_keeps_only_its_latest_cut_off() {
    let mut index = Index::new();
    end(&mut index, ALICE);
    fill(&mut index, 3);
    let latest = end(&mut index, ALICE);
    assert_eq!(index.len(), 4);
    assert_eq!(index.position_of(ALICE.fingerprint(&FingerprintKey::new(KEY))), Some(latest));
    assert_eq!(verdict(&index, alice(at("1-4"))), Verdict::Revoked);
}

#[test]
fn rule_6_a_cut_off_and_a_conditioned_entry_of_one_target_are_kept_side_by_side() {
    let mut index = Index::new();
    let key = FingerprintKey::new(KEY);
    let before = |root_time| Lineage { root_time, ..alice(at("1-1")) };
    end(&mut index, ALICE);
    let conditioned = index.apply(ALICE.fingerprint(&key), ALICE.cut(Some(50)), at("1-2"));
    assert_eq!(conditioned, Ok(Applied::Conditioned));
    assert_eq!(index.position_of(ALICE.fingerprint(&key)), Some(at("1-1")), "the cut-off stands where it stood");
    assert_eq!(verdict(&index, before(49)), Verdict::Revoked);
    assert_eq!(verdict(&index, before(50)), Verdict::NotRevoked);
    assert_eq!(
        index.matching(&Lineage { root_time: 49, ..alice(at("1-0")) }, &key),
        [(ALICE, at("1-1")), (ALICE, at("1-2"))]
    );
    end(&mut index, ALICE);
    assert_eq!((index.conditioned(), verdict(&index, before(50))), (1, Verdict::Revoked));
}

#[test]
fn rule_6_conditioned_entries_that_one_covers_take_no_memory_and_forgetting_gives_back_the_rest() {
    let mut index = Index::new();
    let key = FingerprintKey::new(KEY);
    let mut condition = |target: TargetRef<'_>, before| {
        index.apply(target.fingerprint(&key), target.cut(Some(before)), index.head().next()).unwrap();
        index.conditioned()
    };
    assert_eq!([condition(ALICE, 10), condition(ALICE, 30), condition(ALICE, 30), condition(ALICE, 20)], [1, 1, 1, 2]);
    assert_eq!(condition(TargetRef::Everything, 5), 3);
    index.raise_floor(at("1-3"));
    let reasons = index.matching(&Lineage { root_time: 5, ..alice(at("1-0")) }, &key);
    assert_eq!(reasons, [(ALICE, at("1-4"))], "the one with the latest time is forgotten, swept or not");
    assert_eq!(verdict(&index, Lineage { root_time: 19, ..alice(at("1-3")) }), Verdict::Revoked);
    assert_eq!(verdict(&index, Lineage { root_time: 20, ..alice(at("1-3")) }), Verdict::NotRevoked);
    index.forget_below(at("1-3"));
    assert_eq!((index.conditioned(), index.bytes() > Index::new().bytes()), (2, true));
    index.forget_below(at("1-5"));
    assert_eq!((index.conditioned(), index.bytes()), (0, Index::new().bytes()));
}

#[test]
fn entries_outside_the_index_end_nothing_that_was_stamped_after_them_either() {
    let key = FingerprintKey::new(KEY);
    let ends = |cut: Cut, stamp: &str| {
        let effect = Effect::of(cut, at("1-3"));
        let trace = Lineage { root_time: 9, ..alice(at(stamp)) }.trace(&key);
        trace.is_ended_among(|target| (target == ALICE.fingerprint(&key)).then_some(&effect))
    };
    for cut in [ALICE.cut(None), ALICE.cut(Some(10))] {
        assert_eq!((ends(cut, "1-2"), ends(cut, "1-3")), (true, false), "{cut:?}");
    }
    assert!(!ends(ALICE.cut(Some(9)), "1-2"));
}

#[test]
fn rule_7_a_repeated_never_reused_target_keeps_its_first_position_and_a_living_one_moves() {
    let mut index = Index::new();
    let key = FingerprintKey::new(KEY);
    let (token, client) = (TargetRef::Token("t").fingerprint(&key), TargetRef::Client("c").fingerprint(&key));
    assert_eq!(index.apply(token, Cut::ForGood, at("1-1")), Ok(Applied::New));
    assert_eq!(index.apply(client, Cut::Stamped, at("1-2")), Ok(Applied::New));
    assert_eq!(index.apply(token, Cut::ForGood, at("1-3")), Ok(Applied::Already(at("1-1"))));
    assert_eq!(index.apply(client, Cut::Stamped, at("1-4")), Ok(Applied::Moved(at("1-2"))));
    assert_eq!(index.position_of(token), Some(at("1-1")));
    assert_eq!(index.position_of(client), Some(at("1-4")));
}

#[test]
fn rule_7_a_gap_or_a_repetition_changes_nothing_and_says_so() {
    let mut index = Index::new();
    fill(&mut index, 2);
    let mark = Fingerprint(77);
    let head = at("1-2");
    for found in ["1-4", "2-0", "2-1"].map(at) {
        assert_eq!(index.apply(mark, Cut::Stamped, found), Err(OutOfOrder::Gap { expected: at("1-3"), found }));
    }
    for found in ["1-2", "1-1", "0-9"].map(at) {
        assert_eq!(index.apply(mark, Cut::Stamped, found), Err(OutOfOrder::NotAfterHead { head, found }));
    }
    assert_eq!((index.head(), index.position_of(mark)), (head, None));
}

#[test]
fn rule_9_a_stamp_above_the_head_is_dead_at_a_node_and_stale_at_an_edge() {
    let mut index = Index::new();
    end(&mut index, TargetRef::Session("ended"));
    let of = |session, stamp| Lineage { session, ..alice(at(stamp)) }.trace(&FingerprintKey::new(KEY));
    assert_eq!(index.verdict(&of(None, "1-2"), Side::Node), Verdict::Revoked);
    assert_eq!(index.verdict(&of(None, "1-2"), Side::Edge), Verdict::Stale);
    assert_eq!(index.verdict(&of(None, "1-18446744073709551615"), Side::Edge), Verdict::Stale);
    // Revoked wins over Stale.
    assert_eq!(index.verdict(&of(Some("ended"), "1-2"), Side::Edge), Verdict::Revoked);
    assert_eq!(index.verdict(&of(None, "1-1"), Side::Node), Verdict::NotRevoked);
}

#[test]
fn rule_9_a_position_unmasked_with_the_wrong_key_or_jti_is_dead() {
    let index = Index::new();
    let (key, other) = (MaskKey::new([1; 16]), MaskKey::new([2; 16]));
    let text = mask_text(index.head(), &key, "jti");
    assert_eq!(unmask_text(&text, &key, "jti"), Some(index.head()));
    for noise in [unmask_text(&text, &other, "jti"), unmask_text(&text, &key, "jtj")] {
        assert_eq!(index.fault(noise.unwrap()), Some(Fault::UnknownEpoch));
    }
}
