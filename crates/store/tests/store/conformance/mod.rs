//! What every backend owes the ledger. A backend's test file implements [`Backend`] and calls `conformance!` once.

pub(crate) mod audit;
pub(crate) mod configuration;
pub(crate) mod deliveries;
pub(crate) mod forgetting;
pub(crate) mod ledger;
pub(crate) mod listing;
pub(crate) mod pending;
pub(crate) mod records;
pub(crate) mod samples;
pub(crate) mod scripts;
pub(crate) mod status;

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
};

use rescind_ledger::{Mark, Reads, Store, StoreError, Tx};

/// A store with its reads, and the means to have a fresh one.
pub(crate) trait Backend: Sized {
    type Reads: Reads;
    /// An empty store of its own.
    fn fresh() -> Self;
    /// The same store, closed and opened again.
    fn reopened(self) -> Self;
    fn store(&mut self) -> &mut dyn Store;
    fn reads(&self) -> &Self::Reads;

    /// Runs work that must succeed in a transaction of its own, as one job.
    fn write(&mut self, work: impl FnOnce(&mut dyn Tx)) -> Mark {
        let mut work = Some(work);
        self.store()
            .transact(&mut |tx| {
                tx.begin_job()?;
                if let Some(work) = work.take() {
                    work(tx);
                }
                tx.keep_job()
            })
            .unwrap()
    }

    /// Runs work whose outcome matters in a transaction of its own; the transaction commits either way.
    fn try_write<T>(&mut self, mut work: impl FnMut(&mut dyn Tx) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut outcome = None;
        self.store().transact(&mut |tx| {
            tx.begin_job()?;
            let done = work(tx);
            match &done {
                Ok(_) => tx.keep_job()?,
                Err(_) => tx.undo_job()?,
            }
            outcome = Some(done);
            Ok(())
        })?;
        outcome.unwrap()
    }
}

/// Waits for a future on this thread, without any runtime of our own.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Makes one test of each case, for one backend.
macro_rules! conformance {
    ($backend:ty) => {
        $crate::conformance::conformance!($backend, audit: [
            the_chain_goes_on_where_it_was_left,
            an_undone_job_takes_its_record_with_it,
            a_number_is_taken_once,
            signed_heads_come_oldest_first_and_one_signed_again_is_the_newer,
            forgetting_never_goes_beyond_a_signed_head_and_keeps_the_place,
            a_clock_that_went_back_makes_nobody_forget_what_is_young,
            a_trail_that_was_forgotten_to_its_end_goes_on_from_there,
        ]);
        $crate::conformance::conformance!($backend, configuration: [
            user_names_are_unique_without_regard_to_case,
            an_email_address_finds_everybody_who_has_it_whatever_its_case,
            users_are_counted_and_paged_in_order_and_found_by_what_others_call_them,
            a_configuration_is_what_was_put,
            secrets_are_kept_by_name,
            horizons_come_back_oldest_first,
            the_last_change_of_each_setting_is_in_force,
        ]);
        $crate::conformance::conformance!($backend, deliveries: [
            what_is_expanded_waits_until_it_is_complete,
            the_oldest_in_the_outbox_says_since_when_records_are_needed,
            an_effect_is_found_by_any_position_in_its_stretch,
            a_tally_comes_back_as_it_was_and_is_kept_once,
            there_is_one_delivery_of_an_entry_to_a_receiver,
            attempts_are_rows_and_what_is_due_comes_longest_due_first,
            every_receiver_stands_for_itself,
            a_user_is_called_what_held_at_the_entry,
            what_becomes_of_an_entry_goes_with_it_and_not_before,
            a_record_that_is_still_to_be_counted_stays,
            entries_are_listed_by_what_is_asked_the_newest_first,
            entries_are_read_onward_a_page_at_a_time,
        ]);
        $crate::conformance::conformance!($backend, forgetting: [
            what_has_expired_goes_and_nothing_else,
            requests_that_wait_for_their_answer_are_counted,
            a_session_stays_until_its_end_is_written_down,
            a_round_of_forgetting_is_bounded_and_says_so,
            entries_above_the_floor_or_in_the_outbox_stay,
            an_idempotency_key_lives_as_long_as_its_entry,
            the_floor_survives_reopening_and_never_sinks,
            the_head_survives_the_forgetting_of_every_entry,
            what_was_used_and_forgotten_cannot_be_used_again,
        ]);
        $crate::conformance::conformance!($backend, ledger: [
            entries_come_back_as_they_were_appended,
            entries_are_read_from_both_ends,
            an_undone_job_leaves_no_trace,
            an_undone_epoch_was_never_opened,
            a_failed_transaction_leaves_nothing,
            a_conflict_spares_the_neighbours_of_its_job,
            every_transaction_is_counted,
            a_place_in_the_ledger_is_taken_once_and_in_turn,
            epochs_go_up_and_survive_reopening,
            an_idempotency_key_finds_its_order,
            the_outbox_holds_what_is_not_complete,
            the_newest_entry_before_a_moment_is_found,
        ]);
        $crate::conformance::conformance!($backend, listing: [
            paging_visits_everything_once,
            listings_go_in_either_direction,
            users_are_found_by_how_a_name_begins,
            what_very_many_names_have_in_common_is_found_in_order,
            devices_are_found_by_name_and_external_id,
            what_was_issued_under_a_grant_is_told_with_it,
            a_cursor_of_another_listing_is_refused,
            how_much_there_is_is_counted,
            the_pieces_of_a_snapshot_are_everything_once_and_nothing_that_came_later,
            what_comes_meanwhile_disturbs_no_page,
            every_member_of_a_filter_narrows,
            a_listing_can_leave_out_what_has_expired,
            a_cursor_of_nobodys_is_refused,
        ]);
        $crate::conformance::conformance!($backend, pending: [
            pending_orders_are_found_by_id_by_key_and_by_time,
            a_key_stands_for_one_pending_order,
            a_bulk_job_keeps_its_list_its_progress_and_its_failures,
            only_what_was_over_before_a_moment_is_forgotten,
            a_part_of_a_job_is_undone_by_itself,
            live_sessions_are_counted_as_far_as_asked,
        ]);
        $crate::conformance::conformance!($backend, records: [
            every_record_comes_back_as_it_was,
            an_owner_is_found_by_hash_and_by_the_id_of_an_access_token,
            the_first_use_wins,
            what_is_not_there_cannot_be_used_first,
            what_must_be_unique_is,
            a_touch_never_moves_back,
            grants_with_a_refresh_token_are_listed_by_their_last_use,
            the_live_sessions_of_a_user_come_oldest_first_and_without_those_that_ended,
            authentications_and_consents_come_oldest_first,
        ]);
        $crate::conformance::conformance!($backend, scripts: [
            every_version_of_a_script_is_kept,
            a_script_that_is_gone_is_known_by_its_versions,
            an_undone_script_was_never_stored,
        ]);
        $crate::conformance::conformance!($backend, status: [
            references_come_back_as_they_were_in_the_order_of_their_indexes,
            only_what_is_wanted_is_handed_over,
            an_index_is_given_once,
            a_list_lives_as_long_as_its_last_token_and_goes_as_a_whole,
            a_logout_status_jwt_is_found_by_its_hash_and_by_its_id,
        ]);
    };
    ($backend:ty, $module:ident: [$($case:ident),* $(,)?]) => {
        mod $module {
            $(
                #[test]
                fn $case() {
                    $crate::conformance::$module::$case::<$backend>();
                }
            )*
        }
    };
}
pub(crate) use conformance;
